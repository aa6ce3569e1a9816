package schema

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
	"github.com/keelson/keelson/proto/schema/shape"
)

// plan is what the engine does to a message of one type. Parts of a message for which there is nothing to do are left
// out, so that a walk visits only fields with rules.
type plan struct {
	desc  protoreflect.MessageDescriptor
	shape *shape.Message
	hooks rule.Message
	// empty stands for absent sub-messages of this type; read only.
	empty shape.Pointer

	defaults []defaultStep
	rules    []ruleStep

	// embeds are the embedded messages and the way to those further inside.
	embeds []embedStep
	// nanos is set for times: the field that Kubernetes always writes. seconds is the other.
	nanos, seconds *shape.Field
	hasUnions      bool

	// whether anything in here or below sets defaults, demands something, or is embedded
	hasDefaults, hasRules, hasEmbeds bool
}

type embedStep struct {
	fd       protoreflect.FieldDescriptor
	field    *shape.Field
	embedded bool
	sub      *plan
}

type defaultStep struct {
	fd       protoreflect.FieldDescriptor
	field    *shape.Field
	value    func() protoreflect.Value // nil: nothing to set, only descend
	embedded bool
	sub      *plan // nil for scalars
}

type ruleStep struct {
	fd      protoreflect.FieldDescriptor
	field   *shape.Field
	name    string
	options *optionsv1.Field
	own     bool // the field itself has rules
	number  bool // of signed integers
	// What the descriptor says, which answers slowly.
	isMap, isList, isText, presence bool
	// immutable fields of an object's own metadata have rules elsewhere; those of a template's are as free as the template.
	immutable bool
	check     format.Func
	embedded  bool
	inline    bool
	union     *union
	sub       *plan
}

// union is a set of fields of one message of which at most one may be set.
type union struct {
	name     string
	required bool
	members  []string
}

type compiler struct {
	plans map[protoreflect.FullName]*plan
	hooks map[protoreflect.FullName]rule.Message
	kinds map[protoreflect.FullName]rule.Kind
	types func(protoreflect.FullName) (protoreflect.MessageType, error)
}

// compile returns the plan of a message type, with those of all types inside.
func (c *compiler) compile(md protoreflect.MessageDescriptor) *plan {
	p := c.collect(md)
	// Whether a type has anything to do depends on the types inside, which may contain it: repeat until it is stable.
	for changed := true; changed; {
		changed = false
		for _, p := range c.plans {
			d, r, e := p.hooks.Default != nil || p.hooks.Finish != nil, p.hooks.Validate != nil, p.nanos != nil
			for _, s := range p.embeds {
				e = e || s.embedded || s.sub.hasEmbeds
			}
			for _, s := range p.defaults {
				d = d || s.value != nil || s.sub != nil && s.sub.hasDefaults
			}
			for _, s := range p.rules {
				r = r || s.own || s.sub != nil && s.sub.hasRules
			}
			if d != p.hasDefaults || r != p.hasRules || e != p.hasEmbeds {
				p.hasDefaults, p.hasRules, p.hasEmbeds, changed = d, r, e, true
			}
		}
	}
	return p
}

// prune drops the steps that lead nowhere; called once every plan is compiled.
func (c *compiler) prune() {
	for _, p := range c.plans {
		defaults := p.defaults[:0:0]
		for _, s := range p.defaults {
			if s.value != nil || s.sub != nil && s.sub.hasDefaults {
				if s.sub != nil && !s.sub.hasDefaults {
					s.sub = nil
				}
				defaults = append(defaults, s)
			}
		}
		rules := p.rules[:0:0]
		for _, s := range p.rules {
			if s.own || s.sub != nil && s.sub.hasRules {
				if s.sub != nil && !s.sub.hasRules {
					s.sub = nil
				}
				rules = append(rules, s)
			}
		}
		p.defaults, p.rules = defaults, rules
		p.embeds = slices.DeleteFunc(p.embeds, func(s embedStep) bool { return !s.embedded && !s.sub.hasEmbeds })
	}
}

func (c *compiler) collect(md protoreflect.MessageDescriptor) *plan {
	if p, ok := c.plans[md.FullName()]; ok {
		return p
	}
	p := &plan{desc: md, shape: shape.Of(md), hooks: c.hooks[md.FullName()]}
	c.plans[md.FullName()] = p
	if t, err := c.types(md.FullName()); err == nil {
		p.empty = shape.PointerTo(t.New().Interface())
	}
	if f := shape.FormOf(md); f == optionsv1.JSONForm_JSON_FORM_TIME || f == optionsv1.JSONForm_JSON_FORM_MICRO_TIME {
		p.nanos, p.seconds = shape.Direct(md.Fields().ByName("nanos")), shape.Direct(md.Fields().ByNumber(1))
	}
	unions := map[string]*union{}
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		o := shape.OptionsOf(fd)
		var sub *plan
		if v := valueMessage(fd); v != nil {
			sub = c.collect(v)
		}
		embedded := shape.Embedded(fd, o)
		direct := shape.Direct(fd)
		if sub != nil {
			p.embeds = append(p.embeds, embedStep{fd, direct, embedded, sub})
		}
		p.defaults = append(p.defaults, defaultStep{fd: fd, field: direct, value: compileDefault(fd, o.GetDefault()), embedded: embedded, sub: sub})
		s := ruleStep{fd: fd, field: direct, name: fd.JSONName(), options: o, embedded: embedded, inline: o.GetInline(), sub: sub,
			number: fd.Kind() == protoreflect.Int32Kind || fd.Kind() == protoreflect.Int64Kind,
			isMap:  fd.IsMap(), isList: fd.IsList(), isText: fd.Kind() == protoreflect.StringKind, presence: fd.HasPresence(),
			immutable: o.GetImmutable() && md.FullName() != objectMeta}
		if o.GetFormat() != "" {
			s.check = format.Named(o.GetFormat())
		}
		if u := o.GetUnion(); u != "" {
			if unions[u] == nil {
				unions[u] = &union{name: u}
			}
			unions[u].members = append(unions[u].members, s.name)
			unions[u].required = unions[u].required || o.GetUnionRequired()
			s.union = unions[u]
			p.hasUnions = true
		}
		s.own = s.check != nil || s.union != nil || o.GetRequired() || len(o.GetEnum()) > 0 || o.Minimum != nil ||
			o.Maximum != nil || o.MaxLength != nil || o.MaxItems != nil || o.MinItems != nil || o.GetImmutable() ||
			o.GetUnsupported() != ""
		p.rules = append(p.rules, s)
	}
	return p
}

// valueMessage returns the message that a field, its items or its map values consist of.
func valueMessage(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if fd.IsMap() {
		return fd.MapValue().Message()
	}
	return fd.Message()
}
