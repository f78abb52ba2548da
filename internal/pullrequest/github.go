package pullrequest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// GitHub is the pull request that a job of GitHub Actions runs for.
type GitHub struct {
	API        string // "https://api.github.com"
	Repository string // "owner/name"
	Number     int
	Token      string       // needs the permission pull-requests: write
	Client     *http.Client // nil is one that gives up after half a minute
}

// Errors of the environment; they are wrapped.
var (
	// ErrNoPullRequest: the job does not run for a pull request.
	ErrNoPullRequest = errors.New("this job does not run for a pull request")
	// ErrFork: the change is from a fork, for which the job's token may not write.
	ErrFork = errors.New("the change comes from a fork, and the job's token may not write for forks")
)

// FromEnvironment reads a job's information about its pull request in GitHub Actions
// (docs.github.com, "Variables reference"): GITHUB_EVENT_PATH, GITHUB_EVENT_NAME,
// GITHUB_API_URL, GITHUB_REPOSITORY, and the token from GITHUB_TOKEN.
func FromEnvironment(env func(string) string) (*GitHub, error) {
	var event struct {
		PullRequest *struct {
			Number     int `json:"number"`
			Head, Base struct {
				Repo struct {
					Name string `json:"full_name"`
				} `json:"repo"`
			}
		} `json:"pull_request"`
	}
	file := env("GITHUB_EVENT_PATH")
	if file == "" {
		return nil, fmt.Errorf("%w: GITHUB_EVENT_PATH is not set", ErrNoPullRequest)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the event of the job: %w", err)
	}
	if err := json.Unmarshal(data, &event); err != nil {
		return nil, fmt.Errorf("%s: the event of the job: %w", file, err)
	}
	pr := event.PullRequest
	switch {
	case pr == nil || pr.Number <= 0:
		return nil, ErrNoPullRequest
	case env("GITHUB_EVENT_NAME") != "pull_request_target" && pr.Head.Repo.Name != pr.Base.Repo.Name:
		return nil, ErrFork
	}
	g := &GitHub{API: strings.TrimSuffix(env("GITHUB_API_URL"), "/"), Repository: env("GITHUB_REPOSITORY"),
		Number: pr.Number,
		Token:  env("GITHUB_TOKEN")}
	switch {
	case g.API == "":
		g.API = "https://api.github.com"
	case !strings.HasPrefix(g.API, "https://") && !strings.HasPrefix(g.API, "http://127.0.0.1:"): // a token goes there
		return nil, fmt.Errorf("GITHUB_API_URL is %.60q: it must begin with https://", g.API)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`).MatchString(g.Repository) {
		return nil, fmt.Errorf("GITHUB_REPOSITORY is %.60q: it must be owner/name", g.Repository)
	}
	if g.Token == "" {
		return nil, errors.New("GITHUB_TOKEN is not set: the comment needs a token with the permission pull-requests: write")
	}
	return g, nil
}

// marker is the first line of our comments; it is invisible.
const marker = "<!-- bpfcfg pr -->\n"

// Limits on what is read of GitHub's answers.
const (
	maxPages  = 100
	perPage   = 100
	maxAnswer = 64 << 20
	patience  = 30 * time.Second
)

// Post writes a text as a comment on the pull request, in place of its previous one. It returns the
// address of the comment.
func (g *GitHub) Post(ctx context.Context, text string) (string, error) {
	id, err := g.find(ctx)
	if err != nil {
		return "", err
	}
	var out struct {
		URL string `json:"html_url"`
	}
	method, path := http.MethodPost, fmt.Sprintf("issues/%d/comments", g.Number)
	if id != 0 {
		method, path = http.MethodPatch, fmt.Sprintf("issues/comments/%d", id)
	}
	err = g.call(ctx, method, path, map[string]string{"body": marker + text}, &out)
	return out.URL, err
}

// find returns the number of the previous comment, 0 for none. Only a program's comment counts,
// because anyone may write the marker.
func (g *GitHub) find(ctx context.Context) (int64, error) {
	for page := 1; page <= maxPages; page++ {
		var list []struct {
			ID   int64
			Body string
			User struct{ Type string }
		}
		path := fmt.Sprintf("issues/%d/comments?per_page=%d&page=%d", g.Number, perPage, page)
		if err := g.call(ctx, http.MethodGet, path, nil, &list); err != nil {
			return 0, err
		}
		for _, c := range list {
			if c.User.Type == "Bot" && strings.HasPrefix(strings.ReplaceAll(c.Body, "\r", ""), marker) {
				return c.ID, nil
			}
		}
		if len(list) < perPage {
			break
		}
	}
	return 0, nil
}

// call sends a request to the API and reads its answer into out.
func (g *GitHub) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.API+"/repos/"+g.Repository+"/"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.Token)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	client := g.Client
	if client == nil {
		client = &http.Client{Timeout: patience}
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask GitHub: %w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read GitHub's answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return refused(method, path, res, data)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("GitHub's answer to %s %s: %w", method, path, err)
	}
	return nil
}

// refused describes why GitHub refused a request, and a remedy.
func refused(method, path string, res *http.Response, data []byte) error {
	var said struct{ Message string }
	_ = json.Unmarshal(data, &said) // a proxy may answer with anything
	what := ""
	switch res.StatusCode {
	case http.StatusUnauthorized:
		what = ": the token is invalid or has expired"
	case http.StatusForbidden, http.StatusNotFound:
		what = ": the job needs permissions: {pull-requests: write}"
	}
	return fmt.Errorf("GitHub refuses %s %s: %s %.200q%s", method, path, res.Status, said.Message, what)
}
