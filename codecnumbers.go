package checkpoint

import (
	"bytes"
	"encoding/json"
	"io"
)

// JSONNumbers returns the default codec with one difference: a JSON number that is
// decoded into an any is a [json.Number] and not a float64, so that whole numbers
// above 2^53 and long decimals of a map[string]any stay what they are when it is
// loaded, changed elsewhere and saved. It writes the same payloads under the same
// name, so that stores with and without it read each other's.
//
//	store, err := checkpoint.Open("sqlite", "agents.db", checkpoint.WithCodec(checkpoint.JSONNumbers()))
func JSONNumbers() Codec { return jsonCodec{numbers: true} }

// unmarshal is json.Unmarshal, with numbers kept where the codec does so.
func (c jsonCodec) unmarshal(data []byte, target any) error {
	if !c.numbers {
		return unmarshal(data, target)
	}
	if !json.Valid(data) { // a decoder stops after the first value
		return json.Unmarshal(data, new(any))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err := d.Decode(target)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
