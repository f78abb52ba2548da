package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/internal/pullrequest"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// comment puts the text into the job's summary and posts it on the pull request of the job of
// GitHub Actions. A job without a pull request, or with one from a fork, only gets the summary, and
// a notice says so.
func (c *prCmd) comment(std streams, r *pullrequest.Report) error {
	var text bytes.Buffer
	if err := r.Markdown(&text); err != nil {
		return err
	}
	if err := appendSummary(text.String()); err != nil {
		return err
	}
	pr, err := pullrequest.FromEnvironment(os.Getenv)
	switch {
	case errors.Is(err, pullrequest.ErrFork) || errors.Is(err, pullrequest.ErrNoPullRequest):
		_, err = fmt.Fprintf(std.out, "::notice title=bpfcfg pr::no comment: %s; the job's summary has the text\n",
			visible.GitHubMessage(err.Error()))
		return err
	case err != nil:
		return inputError(fmt.Errorf("comment: %w", err))
	}
	url, err := pr.Post(context.Background(), text.String())
	if err != nil {
		return inputError(fmt.Errorf("comment: %w", err))
	}
	_, err = fmt.Fprintf(std.out, "comment %s\n", visible.Text(url))
	return err
}
