package adk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"google.golang.org/adk/v2/artifact"
	"google.golang.org/genai"

	"github.com/go-ckpt/checkpoint"
)

// Artifacts is an artifact.Service on a store. The versions of an artifact are the
// versions of a thread; names that begin with "user:" are shared by the sessions of a
// user.
type Artifacts struct{ store *checkpoint.Store }

var _ artifact.Service = (*Artifacts)(nil)

// NewArtifacts returns an artifact service on the store, which the caller goes on
// closing. The store's history setting says how many versions of an artifact are
// kept; an artifact is bounded by the store's state size, 16 MiB unless it says
// otherwise.
func NewArtifacts(store *checkpoint.Store) *Artifacts { return &Artifacts{store} }

const metadataMIMEType = "mime_type"

// thread names the thread of an artifact.
func (a *Artifacts) thread(app, user, sess, file string) string {
	if strings.HasPrefix(file, "user:") {
		return threadName("artifact", app, user) + "//" + threadName(file) // an empty part: no session has it
	}
	return threadName("artifact", app, user, sess, file)
}

// failed maps an error to what artifact services return.
func failed(err error) error {
	if errors.Is(err, checkpoint.ErrNotFound) {
		return fmt.Errorf("adk: artifact not found: %w: %w", fs.ErrNotExist, err)
	}
	return err
}

// Save implements artifact.Service. A version is given only by counting: when the
// request names one, it has to be the next.
func (a *Artifacts) Save(ctx context.Context, req *artifact.SaveRequest) (*artifact.SaveResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	mime := "text/plain"
	if req.Part.InlineData != nil {
		mime = req.Part.InlineData.MIMEType
	}
	opts := []checkpoint.SaveOption{checkpoint.Metadata(map[string]string{metadataMIMEType: mime})}
	if req.Version != 0 {
		opts = append(opts, checkpoint.IfVersion(req.Version-1))
	}
	info, err := a.store.Save(ctx, a.thread(req.AppName, req.UserID, req.SessionID, req.FileName), req.Part, opts...)
	if err != nil {
		return nil, err
	}
	return &artifact.SaveResponse{Version: info.Version}, nil
}

// Load implements artifact.Service.
func (a *Artifacts) Load(ctx context.Context, req *artifact.LoadRequest) (*artifact.LoadResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	thread := a.thread(req.AppName, req.UserID, req.SessionID, req.FileName)
	part := new(genai.Part)
	var err error
	if req.Version > 0 {
		_, err = a.store.LoadVersion(ctx, thread, req.Version, part)
	} else {
		_, err = a.store.Load(ctx, thread, part)
	}
	if err != nil {
		return nil, failed(err)
	}
	return &artifact.LoadResponse{Part: part}, nil
}

// Delete implements artifact.Service. A single version is deleted where it is the only
// one that is kept; one of several cannot be, and a request for that is an error that
// matches errors.ErrUnsupported.
func (a *Artifacts) Delete(ctx context.Context, req *artifact.DeleteRequest) error {
	if err := req.Validate(); err != nil {
		return err
	}
	thread := a.thread(req.AppName, req.UserID, req.SessionID, req.FileName)
	if req.Version == 0 {
		return a.store.Delete(ctx, thread)
	}
	kept, err := a.versions(ctx, thread)
	switch {
	case err != nil:
		return err
	case !slices.Contains(kept, req.Version):
		return nil // what is not there is deleted
	case len(kept) > 1:
		return fmt.Errorf("adk: %w: one version of several cannot be removed; delete the artifact, or keep fewer versions by the store's history", errors.ErrUnsupported)
	}
	err = a.store.Delete(ctx, thread, checkpoint.IfVersion(req.Version))
	if errors.Is(err, checkpoint.ErrConflict) { // changed meanwhile
		return a.Delete(ctx, req)
	}
	return err
}

// versions returns the versions that are kept, the newest first.
func (a *Artifacts) versions(ctx context.Context, thread string) ([]int64, error) {
	var kept []int64
	for info, err := range a.store.History(ctx, thread, checkpoint.HistoryOptions{}) {
		if err != nil {
			return nil, err
		}
		kept = append(kept, info.Version)
	}
	return kept, nil
}

// List implements artifact.Service.
func (a *Artifacts) List(ctx context.Context, req *artifact.ListRequest) (*artifact.ListResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	names := []string{}
	for _, prefix := range []string{
		threadName("artifact", req.AppName, req.UserID, req.SessionID) + "/",
		threadName("artifact", req.AppName, req.UserID) + "//",
	} {
		for info, err := range a.store.List(ctx, checkpoint.ListOptions{Prefix: prefix}) {
			if err != nil {
				return nil, err
			}
			name, err := lastPart(info.Thread)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return &artifact.ListResponse{FileNames: names}, nil
}

// Versions implements artifact.Service: the newest first.
func (a *Artifacts) Versions(ctx context.Context, req *artifact.VersionsRequest) (*artifact.VersionsResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	kept, err := a.versions(ctx, a.thread(req.AppName, req.UserID, req.SessionID, req.FileName))
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return nil, failed(checkpoint.ErrNotFound)
	}
	return &artifact.VersionsResponse{Versions: kept}, nil
}

// GetArtifactVersion implements artifact.Service, without loading the artifact.
func (a *Artifacts) GetArtifactVersion(ctx context.Context, req *artifact.GetArtifactVersionRequest) (*artifact.GetArtifactVersionResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	thread := a.thread(req.AppName, req.UserID, req.SessionID, req.FileName)
	opts := checkpoint.HistoryOptions{Limit: 1}
	if req.Version > 0 {
		opts.Before = req.Version + 1
	}
	for info, err := range a.store.History(ctx, thread, opts) {
		if err != nil {
			return nil, err
		}
		if req.Version > 0 && info.Version != req.Version {
			break
		}
		return &artifact.GetArtifactVersionResponse{ArtifactVersion: &artifact.ArtifactVersion{
			Version: info.Version, CreateTime: info.SavedAt, MimeType: info.Metadata[metadataMIMEType],
		}}, nil
	}
	return nil, failed(checkpoint.ErrNotFound)
}
