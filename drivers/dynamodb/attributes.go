package dynamodb

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type attributes = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func boolean(b bool) types.AttributeValue     { return &types.AttributeValueMemberBOOL{Value: b} }
func keyOf(key string) attributes             { return attributes{keyAttribute: str(key)} }
func micros(t time.Time) types.AttributeValue { return num(t.UnixMicro()) }

// bin is a binary value; nil would be none.
func bin(b []byte) types.AttributeValue {
	if b == nil {
		b = []byte{}
	}
	return &types.AttributeValueMemberB{Value: b}
}

// A reader takes the attributes of an item and keeps the first that is wrong.
type reader struct {
	a   attributes
	bad string
}

func (r *reader) fail(name string) {
	if r.bad == "" {
		r.bad = name
	}
}

func (r *reader) text(name string) string {
	switch v := r.a[name].(type) {
	case nil:
		return ""
	case *types.AttributeValueMemberS:
		return v.Value
	}
	r.fail(name)
	return ""
}

func (r *reader) texts(name string) map[string]string {
	v, ok := r.a[name]
	if !ok {
		return nil
	}
	m, ok := v.(*types.AttributeValueMemberM)
	if !ok {
		r.fail(name)
		return nil
	}
	texts := make(map[string]string, len(m.Value))
	for k, v := range m.Value {
		s, ok := v.(*types.AttributeValueMemberS)
		if !ok {
			r.fail(name)
			return nil
		}
		texts[k] = s.Value
	}
	return texts
}

func (r *reader) number(name string) int64 {
	v, ok := r.a[name]
	if !ok {
		return 0
	}
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		r.fail(name)
		return 0
	}
	value, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		r.fail(name)
	}
	return value
}

func (r *reader) time(name string) time.Time {
	if _, ok := r.a[name]; !ok {
		return time.Time{}
	}
	return time.UnixMicro(r.number(name)).UTC()
}
