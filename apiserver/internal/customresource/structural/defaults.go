package structural

// SetDefaults sets what the body of an object leaves unsaid, and drops nulls where the schema allows none: they count as
// not set.
func (s *Schema) SetDefaults(body map[string]any) {
	if s != nil {
		s.setDefaults(body)
	}
}

func (s *Schema) setDefaults(v any) {
	switch v := v.(type) {
	case map[string]any:
		s.defaultMembers(v)
	case []any:
		if s.Items == nil {
			return
		}
		for i := range v {
			if v[i] == nil && !s.Items.Nullable && s.Items.HasDefault {
				v[i] = Copy(s.Items.Default)
			}
			s.Items.setDefaults(v[i])
		}
	}
}

func (s *Schema) defaultMembers(m map[string]any) {
	for name, v := range m {
		sub := s.Child(name)
		if sub == nil {
			continue
		}
		if v == nil && !sub.Nullable {
			if !sub.HasDefault {
				delete(m, name)
				continue
			}
			m[name] = Copy(sub.Default)
		}
		sub.setDefaults(m[name])
	}
	if !s.within {
		return
	}
	for _, name := range s.Names {
		sub := s.Properties[name]
		if _, set := m[name]; set || !sub.HasDefault {
			continue
		}
		m[name] = Copy(sub.Default)
		sub.setDefaults(m[name])
	}
}

// DefaultValue is SetDefaults for a value that need not be an object.
func (s *Schema) DefaultValue(v any) { s.setDefaults(v) }
