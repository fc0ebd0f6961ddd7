package bbolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// live returns the latest version of a live thread, nil where there is none.
func (t tx) live(k driver.Key, now time.Time) (*version, error) {
	prefix := prefixOf(k)
	key, value := t.versions.Cursor().Seek(prefix)
	if !bytes.HasPrefix(key, prefix) {
		return nil, nil
	}
	v, err := parse(key, value)
	if err != nil || v.Expired(now) {
		return nil, err
	}
	return &v, nil
}

// get returns a stored version, visible or not, nil where there is none.
func (t tx) get(k driver.Key, number int64) (*version, error) {
	key := keyOf(k, number)
	value := t.versions.Get(key)
	if value == nil {
		return nil, nil
	}
	v, err := parse(key, value)
	return &v, err
}

// visible returns a version of the live thread, nil where it is not kept.
func (t tx) visible(latest *version, number int64) (*version, error) {
	if latest == nil || number < latest.Lowest || number > latest.Version {
		return nil, nil
	}
	return t.get(latest.Key, number)
}

// withID returns the visible version with that id, nil where there is none.
func (t tx) withID(latest *version, id string) (*version, error) {
	if latest == nil {
		return nil, nil
	}
	number := t.ids.Get(append(prefixOf(latest.Key), id...))
	if len(number) != 8 {
		return nil, nil
	}
	return t.visible(latest, int64(binary.BigEndian.Uint64(number)))
}

func (t tx) load(req driver.LoadRequest) (driver.Checkpoint, error) {
	latest, err := t.live(req.Key, req.Now)
	v := latest
	if err == nil && req.Version != 0 {
		v, err = t.visible(latest, req.Version)
	}
	if err != nil || v == nil {
		return driver.Checkpoint{}, cmp.Or(err, driver.ErrNotFound)
	}
	c := v.checkpoint()
	for number := v.needs(); number < v.Version; number++ {
		link, err := t.get(req.Key, number)
		if err != nil {
			return driver.Checkpoint{}, fmt.Errorf("what version %d needs: %w", v.Version, err)
		}
		if link != nil {
			c.Links = append(c.Links, driver.Link{
				Version: link.Version, ID: link.ID, Encoding: link.Encoding, Base: link.Base, Payload: bytes.Clone(link.payload),
			})
		}
	}
	return c, nil
}

func (t tx) find(req driver.FindRequest) (driver.Info, error) {
	latest, err := t.live(req.Key, req.Now)
	if err != nil {
		return driver.Info{}, err
	}
	v, err := t.withID(latest, req.ID)
	if err != nil || v == nil {
		return driver.Info{}, cmp.Or(err, driver.ErrNotFound)
	}
	return v.Info, nil
}

// namespace returns the first namespace that is not lower than from, "" at the end.
func (t tx) namespace(from string) string {
	key, _ := t.versions.Cursor().Seek([]byte(from))
	name, _, _ := bytes.Cut(key, []byte{0})
	return string(name)
}
