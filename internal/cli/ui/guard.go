package ui

import (
	"crypto/subtle"
	"net/http"
	"slices"
)

// policy allows the page its own style and script and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP lets through what comes from the person who was given the token:
//
//   - Host has to be the server's own, so that no name that an attacker's DNS points
//     here is served (DNS rebinding);
//   - Origin and Sec-Fetch-Site, where a browser sends them, have to be the page's own,
//     and a POST has to have an Origin, so that no other page acts or looks in a
//     person's name, not even one on another port of this machine;
//   - the cookie has to be there, which only the address with the token sets.
//
// Whoever has no cookie is told nothing else, not even which paths there are.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case !slices.Contains(s.Hosts, r.Host):
		refuse(w, http.StatusForbidden, "This address is not the one that checkpoint ui printed.")
	case !sameOrigin(r):
		refuse(w, http.StatusForbidden, "Another page asked for this. Open the address that checkpoint ui printed by hand.")
	case s.opens(r):
		http.SetCookie(w, &http.Cookie{Name: s.cookie, Value: s.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case !s.known(r):
		refuse(w, http.StatusUnauthorized, "Open the address that checkpoint ui printed: it ends in a token that lets this browser in.")
	case r.Method == http.MethodPost && !s.Write:
		refuse(w, http.StatusForbidden, "This page only shows. Start checkpoint ui with --write to change something.")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		h.Set("Allow", "GET, HEAD, POST")
		refuse(w, http.StatusMethodNotAllowed, "This method is not allowed here.")
	default:
		s.routes.ServeHTTP(w, r)
	}
}

// sameOrigin reports whether a request is not another page's doing.
func sameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	for _, origin := range origins {
		if origin != "http://"+r.Host {
			return false
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	return len(origins) == 1 || len(origins) == 0 && r.Method != http.MethodPost
}

// opens reports whether a request has the token, in the one place for it.
func (s *server) opens(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == "/" && same(r.URL.Query().Get("token"), s.Token)
}

// known reports whether a request has the cookie.
func (s *server) known(r *http.Request) bool {
	cookie, err := r.Cookie(s.cookie)
	return err == nil && same(cookie.Value, s.session)
}

// same compares secrets in a time that does not tell where they differ.
func same(got, secret string) bool {
	return secret != "" && subtle.ConstantTimeCompare([]byte(got), []byte(secret)) == 1
}

// refuse answers with a line of text.
func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n"))
}
