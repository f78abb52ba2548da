package pullrequest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeGitHub answers as GitHub's REST API of issue comments does.
type fakeGitHub struct {
	comments []fakeComment
	asked    []string
	deny     int // status for writes
}

type fakeComment struct {
	ID   int64             `json:"id"`
	Body string            `json:"body"`
	User map[string]string `json:"user"`
	URL  string            `json:"html_url"`
}

func (f *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	say := func(status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if r.Header.Get("Authorization") != "Bearer secret" {
		say(http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
		return
	}
	var in struct{ Body string }
	if r.Method != http.MethodGet {
		if f.deny != 0 {
			say(f.deny, map[string]string{"message": "Resource not accessible by integration"})
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			say(http.StatusUnprocessableEntity, map[string]string{"message": err.Error()})
			return
		}
	}
	var id int64
	switch n, _ := fmt.Sscanf(r.URL.Path, "/repos/o/r/issues/comments/%d", &id); {
	case r.Method == http.MethodGet && r.URL.Path == "/repos/o/r/issues/7/comments":
		var page int
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		from := min((page-1)*100, len(f.comments))
		say(http.StatusOK, f.comments[from:min(from+100, len(f.comments))])
	case r.Method == http.MethodPost && r.URL.Path == "/repos/o/r/issues/7/comments":
		c := fakeComment{int64(1000 + len(f.comments)), in.Body, map[string]string{"type": "Bot"}, "https://x/" + r.URL.Path}
		f.comments = append(f.comments, c)
		say(http.StatusCreated, c)
	case r.Method == http.MethodPatch && n == 1:
		i := slices.IndexFunc(f.comments, func(c fakeComment) bool { return c.ID == id })
		f.comments[i].Body = in.Body
		say(http.StatusOK, f.comments[i])
	default:
		say(http.StatusNotFound, map[string]string{"message": "Not Found"})
	}
}

// start serves the API on loopback.
func (f *fakeGitHub) start(t *testing.T) *GitHub {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return &GitHub{API: s.URL, Repository: "o/r", Number: 7, Token: "secret"}
}

// TestPost: the first run writes a comment, later ones write over it, and over none
// that a person made.
func TestPost(t *testing.T) {
	f := &fakeGitHub{}
	for i := range 250 { // three pages
		f.comments = append(f.comments, fakeComment{ID: int64(i), Body: marker + "by a person", User: map[string]string{"type": "User"}})
	}
	g := f.start(t)
	for _, text := range []string{"one", "two"} {
		if url, err := g.Post(context.Background(), text); err != nil || !strings.HasPrefix(url, "https://") {
			t.Fatalf("%q, %v", url, err)
		}
	}
	if n := len(f.comments); n != 251 || f.comments[250].Body != marker+"two" || f.comments[0].Body != marker+"by a person" {
		t.Errorf("%d comments, the last %q", n, f.comments[n-1].Body)
	}
	if got := f.asked[len(f.asked)-1]; got != "PATCH /repos/o/r/issues/comments/1250" {
		t.Errorf("asked last: %s", got)
	}
}

func TestPostErrors(t *testing.T) {
	f := &fakeGitHub{deny: http.StatusForbidden}
	g := f.start(t)
	if _, err := g.Post(context.Background(), "x"); err == nil || !strings.Contains(err.Error(), "pull-requests: write") {
		t.Errorf("without the permission: %v", err)
	}
	g.Token = "other"
	if _, err := g.Post(context.Background(), "x"); err == nil || !strings.Contains(err.Error(), "401") ||
		strings.Contains(err.Error(), "other") {
		t.Errorf("with another token: %v", err)
	}
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer bad.Close()
	g.API = bad.URL
	if _, err := g.Post(context.Background(), "x"); err == nil {
		t.Error("an answer that is no JSON is taken")
	}
}

func TestFromEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "event.json")
	write := func(head string) {
		event := fmt.Sprintf(`{"pull_request":{"number":7,"head":{"repo":{"full_name":%q}},"base":{"repo":{"full_name":"o/r"}}}}`, head)
		if head == "" {
			event = `{"ref":"refs/heads/main"}`
		}
		if err := os.WriteFile(file, []byte(event), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"GITHUB_EVENT_PATH": file, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "secret",
		"GITHUB_API_URL": "https://ghe.example/api/v3"}
	get := func(name string) string { return env[name] }
	write("o/r")
	g, err := FromEnvironment(get)
	if err != nil || g.Number != 7 || g.API != "https://ghe.example/api/v3" {
		t.Fatalf("%+v, %v", g, err)
	}
	write("someone/r")
	if _, err := FromEnvironment(get); !errors.Is(err, ErrFork) {
		t.Errorf("a fork: %v", err)
	}
	env["GITHUB_EVENT_NAME"] = "pull_request_target"
	if _, err := FromEnvironment(get); err != nil {
		t.Errorf("a fork, with the base's token: %v", err)
	}
	write("")
	if _, err := FromEnvironment(get); !errors.Is(err, ErrNoPullRequest) {
		t.Errorf("a push: %v", err)
	}
	write("o/r")
	for name, value := range map[string]string{"GITHUB_TOKEN": "", "GITHUB_API_URL": "http://evil.example",
		"GITHUB_REPOSITORY": "o/r/../../x", "GITHUB_EVENT_PATH": ""} {
		old := env[name]
		env[name] = value
		if g, err := FromEnvironment(get); err == nil {
			t.Errorf("%s=%q is taken: %+v", name, value, g)
		}
		env[name] = old
	}
}
