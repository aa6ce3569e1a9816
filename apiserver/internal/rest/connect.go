package rest

import (
	"net/url"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// admitConnect lets the admission plugins refuse a connection.
func (c *call) admitConnect() error {
	i := c.info
	options := connectOptions(i.Resource, i.Subresource)
	if options == nil {
		return nil
	}
	fillOptions(options, c.r.URL.Query())
	warnings, err := c.s.cfg.Pipeline.AdmitConnect(c.r.Context(), &resourcev1.ObjectRef{
		Resource:  &resourcev1.Resource{Group: i.Group, Version: i.Version, Plural: i.Resource},
		Namespace: i.Namespace, Name: i.Name, Subresource: i.Subresource,
	}, options)
	warn(c.w, warnings)
	return err
}

// connectOptions returns an empty message of the options that a connection is asked with; nil where it is none.
func connectOptions(resource, subresource string) proto.Message {
	switch resource + "/" + subresource {
	case "pods/exec":
		return &corev1.PodExecOptions{}
	case "pods/attach":
		return &corev1.PodAttachOptions{}
	case "pods/portforward":
		return &corev1.PodPortForwardOptions{}
	case "pods/proxy":
		return &corev1.PodProxyOptions{}
	case "services/proxy":
		return &corev1.ServiceProxyOptions{}
	case "nodes/proxy":
		return &corev1.NodeProxyOptions{}
	}
	return nil
}

// fillOptions reads a message's fields out of a query. What cannot be read is left out: who serves the connection
// complains about it.
func fillOptions(m proto.Message, q url.Values) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		values := q[fd.JSONName()]
		if len(values) == 0 {
			continue
		}
		if fd.IsList() {
			list := r.Mutable(fd).List()
			for _, text := range values {
				if v, ok := optionValue(fd, text); ok {
					list.Append(v)
				}
			}
		} else if v, ok := optionValue(fd, values[0]); ok {
			r.Set(fd, v)
		}
	}
}

func optionValue(fd protoreflect.FieldDescriptor, text string) (protoreflect.Value, bool) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), true
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		return protoreflect.ValueOfBool(b || text == ""), err == nil || text == ""
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err == nil
	case protoreflect.Int64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(n), err == nil
	}
	return protoreflect.Value{}, false
}
