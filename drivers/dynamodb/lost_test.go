package dynamodb

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestLost: what replaces or removes an item that the handle has read is sent again
// where its request or its answer was lost, and applied once. Where somebody else has
// changed the thread before that, nobody can tell, and what he did stays, also a save
// with the id that the thread had.
func TestLost(t *testing.T) {
	credentials(t)
	b, proxy, direct := behind(t)
	commits := func(r []byte) bool { // requests that change a head as it was read
		return bytes.Contains(r, []byte("#life")) && !bytes.Contains(r, []byte("UpdateItem"))
	}
	var info driver.Info
	saved := func(i driver.Info, err error) error {
		info = i
		return err
	}
	for _, op := range []struct {
		name string
		keep int
		do   func(thread string, last driver.Info) error
		want string // the latest state then, "" for none
		sure bool   // whether the thread tells what became of it, and with older versions always
	}{
		{"save", 1, func(thread string, _ driver.Info) error {
			return saved(b.Save(t.Context(), request(thread, "next", 1)))
		}, "next", true},
		{"save if match", 3, func(thread string, last driver.Info) error {
			req := request(thread, "next", 3)
			req.Match.ID = last.ID
			return saved(b.Save(t.Context(), req))
		}, "next", true},
		{"patch", 3, func(thread string, _ driver.Info) error {
			return saved(savePatch(t.Context(), t, direct, b, request(thread, "patch", 3)))
		}, "patch", true},
		{"rewrite", 3, func(_ string, last driver.Info) error {
			return b.(driver.Rewriter).Rewrite(t.Context(), driver.RewriteRequest{Key: last.Key, Version: last.Version, ID: last.ID, Payload: []byte("anew"), Encoding: "bytes", Now: testNow})
		}, "anew", false},
		{"delete if match", 3, func(_ string, last driver.Info) error {
			return b.Delete(t.Context(), driver.DeleteRequest{Key: last.Key, Match: driver.Match{ID: last.ID}, Now: testNow})
		}, "", false},
	} {
		for _, lost := range []string{"requests", "answer", "answer before another's save", "answer before its id is saved again"} {
			thread := fmt.Sprint(op.name, ", ", lost)
			for _, payload := range []string{"first", "second"} {
				req := request(thread, payload, op.keep)
				req.Digest = payload
				mustSave(t, b, req)
			}
			cp, err := loadThread(t.Context(), b, thread)
			if err != nil {
				t.Fatal(err)
			}
			attempts, want := 0, op.want
			again := strings.HasSuffix(lost, "saved again")
			switch lost {
			case "requests":
				proxy.CutRequestMatching(2, func(r []byte) bool { attempts++; return commits(r) })
			case "answer":
				proxy.DropReplyMatching(1, func(r []byte) bool { attempts++; return commits(r) })
			default:
				want = "another's"
				proxy.DropReplyMatching(2, func(r []byte) bool {
					if !commits(r) {
						return false
					}
					if attempts++; attempts == 2 {
						req := request(thread, want, op.keep)
						if again {
							req.ID = cp.ID
							if op.keep > 1 { // where it is still kept
								if err := direct.Delete(t.Context(), driver.DeleteRequest{Key: cp.Key, Now: testNow}); err != nil {
									t.Error(err)
								}
							}
						}
						if _, err := direct.Save(t.Context(), req); err != nil {
							t.Error(err)
						}
					}
					return attempts == 1
				})
			}
			info = driver.Info{}
			did := op.do(thread, cp.Info)
			proxy.Heal()
			recognised := lost == "answer" || op.keep > 1
			if again {
				recognised = op.name == "patch" // as a transaction, by DynamoDB itself
			}
			if certain := lost == "requests" || op.sure && recognised; certain != (did == nil) || did != nil && !errors.Is(did, driver.ErrUnavailable) {
				t.Errorf("%s: %v", thread, did)
			}
			after, err := loadThread(t.Context(), direct, thread)
			if attempts == 0 || string(after.Payload) != want || want == "" && !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("%s: the state is %q, %v, want %q", thread, after.Payload, err, want)
			}
			if did == nil && op.sure && (info.Version != cp.Version+1 || want == op.want && after.Version != info.Version) {
				t.Errorf("%s: saved as version %d, and loaded is version %d, after version %d", thread, info.Version, after.Version, cp.Version)
			}
		}
	}
}

// TestLostAnswer: a save whose answer is lost is applied once and reported as
// what it is.
func TestLostAnswer(t *testing.T) {
	credentials(t)
	b, proxy, direct := behind(t)
	mustSave(t, b, request("t", "1", 1))
	proxy.DropReplyMatching(1, func(r []byte) bool {
		return bytes.Contains(r, []byte("UpdateItem")) || bytes.Contains(r, []byte("PutItem"))
	})
	info, err := b.Save(t.Context(), request("t", "2", 1))
	if err != nil || info.Version != 2 {
		t.Errorf("Save = %+v, %v, want version 2", info, err)
	}
	req := request("t", "3", 1)
	req.Match.ID = info.ID
	proxy.DropReplyMatching(1, func(r []byte) bool {
		return bytes.Contains(r, []byte("UpdateItem")) || bytes.Contains(r, []byte("PutItem"))
	})
	if info, err = b.Save(t.Context(), req); err != nil || info.Version != 3 {
		t.Errorf("conditional Save = %+v, %v, want version 3", info, err)
	}
	if cp, err := loadThread(t.Context(), direct, "t"); err != nil || cp.Version != 3 || string(cp.Payload) != "3" {
		t.Errorf("Load = %v, %v, want version 3", cp, err)
	}
}

// TestLostAnswerOfDelete: a deletion on a condition whose answer was lost is no
// conflict of its own making.
func TestLostAnswerOfDelete(t *testing.T) {
	credentials(t)
	b, proxy, direct := behind(t)
	for _, keep := range []int{1, 3} {
		mustSave(t, direct, request("t", "1", keep))
		info := mustSave(t, direct, request("t", "2", keep))
		for _, match := range []driver.Match{{ID: info.ID}, {}} {
			if _, err := loadThread(t.Context(), direct, "t"); err != nil {
				info = mustSave(t, direct, request("t", "1", keep))
				info = mustSave(t, direct, request("t", "2", keep))
			}
			proxy.DropReplyMatching(1, func(r []byte) bool {
				// A head with older versions is removed by its life, after a first look.
				return bytes.Contains(r, []byte("DeleteItem")) && (keep == 1 || bytes.Contains(r, []byte("#life")))
			})
			err := b.Delete(t.Context(), driver.DeleteRequest{Key: info.Key, Match: match, Now: testNow})
			if conditional := match != (driver.Match{}); conditional != errors.Is(err, driver.ErrUnavailable) || !conditional && err != nil {
				t.Errorf("history %d, Delete on %+v = %v", keep, match, err)
			}
			if _, err := loadThread(t.Context(), direct, "t"); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("history %d: Load = %v, want ErrNotFound", keep, err)
			}
		}
	}
}

// TestLostRequestOfDelete: a deletion whose request did not arrive removes the thread
// all the same if the handle knows it, and otherwise says that it cannot tell.
func TestLostRequestOfDelete(t *testing.T) {
	credentials(t)
	b, proxy, direct := behind(t)
	for _, keep := range []int{1, 3} {
		for _, knows := range []bool{true, false} {
			thread := fmt.Sprintf("t-%d-%t", keep, knows)
			saver := direct
			if knows {
				saver = b
			}
			mustSave(t, saver, request(thread, "1", keep))
			info := mustSave(t, saver, request(thread, "2", keep))
			proxy.CutRequestMatching(1, func(r []byte) bool { return bytes.Contains(r, []byte("DeleteItem")) })
			err := b.Delete(t.Context(), driver.DeleteRequest{Key: info.Key, Now: testNow})
			_, loaded := loadThread(t.Context(), direct, thread)
			if knows && (err != nil || !errors.Is(loaded, driver.ErrNotFound)) {
				t.Errorf("history %d, a known thread: Delete = %v, Load afterwards = %v", keep, err, loaded)
			}
			if !knows && (!errors.Is(err, driver.ErrUnavailable) || loaded != nil) {
				t.Errorf("history %d, an unknown thread: Delete = %v, Load afterwards = %v", keep, err, loaded)
			}
		}
	}
}
