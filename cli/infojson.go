package cli

import (
	"time"

	"github.com/go-ckpt/checkpoint"
)

// infoJSON is the form of a checkpoint's Info under --json.
type infoJSON struct {
	Namespace string            `json:"namespace"`
	Thread    string            `json:"thread"`
	Version   int64             `json:"version"`
	ID        string            `json:"id"`
	Size      int               `json:"size"`
	Encoding  string            `json:"encoding"`
	Base      int64             `json:"base,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	SavedAt   time.Time         `json:"saved_at"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
}

func newInfoJSON(i checkpoint.Info) infoJSON {
	return infoJSON{i.Namespace, i.Thread, i.Version, i.ID, i.Size, i.Encoding, i.Base, i.Metadata, i.CreatedAt, i.SavedAt, i.ExpiresAt}
}
