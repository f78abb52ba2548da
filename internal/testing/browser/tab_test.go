package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/bpfcfg/bpfcfg/render"
)

// tab is a page in a browser.
type tab struct {
	*testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	trouble  []string // errors on the console and requests
	requests int
}

// chromium starts the browser of all tests, each of which has a tab of its own;
// nil without error when there is none on PATH. TestMain ends it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		opt := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
			chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
			chromedp.WindowSize(1400, 900))
		ctx, _ := chromedp.NewExecAllocator(context.Background(), opt...)
		ctx, _ = chromedp.NewContext(ctx)
		return ctx, chromedp.Do(ctx) // starts it
	}
	return nil, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if ctx, err := chromium(); ctx != nil && err == nil {
		err = chromedp.Cancel(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, "the browser does not end:", err)
		}
	}
	os.Exit(status)
}

// open shows the page of the programs. When the test ends the browser does,
// and errors on its console and requests for anything but the page fail it.
func open(t *testing.T, pages ...render.Page) *tab {
	t.Helper()
	out, err := render.HTMLPages("test", pages)
	if err != nil {
		t.Fatal(err)
	}
	return openFile(t, out)
}

func openFile(t *testing.T, page []byte) *tab {
	t.Helper()
	parent, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		t.Skip("no Chromium on PATH: the page is not tested")
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx, url: "file://" + file}
	if err := chromedp.Listen(ctx, b.event); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate(b.url))
	t.Cleanup(b.close)
	b.settle()
	return b
}

// settled is true when the page has drawn all that the window shows.
const settled = `document.getElementById("picture").getAttribute("aria-busy") === "false"`

// settle waits until the page has drawn all that the window shows.
func (b *tab) settle() {
	b.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](untilSettled+`.then(() => true)`, chromedp.EvalAwaitPromise)); err != nil {
		b.Fatal(err)
	}
}

// untilSettled is a promise of a frame after which the page has drawn all that
// the window shows.
const untilSettled = `(async () => { do await new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)));
	while (!(` + settled + `)); })()`

// event notes what no page of ours may do.
func (b *tab) event(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		b.requests++
		if url, _, _ := strings.Cut(e.Request.URL, "#"); url != b.url {
			b.trouble = append(b.trouble, "request for "+e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, fmt.Sprintf("exception at %d: %v", e.ExceptionDetails.LineNumber, e.ExceptionDetails.Exception.Description))
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, fmt.Sprintf("console: %s", e.Type))
	case *log.EventEntryAdded:
		if strings.Contains(e.Entry.Text, "willReadFrequently") {
			return // the tests' own look at a canvas
		}
		b.trouble = append(b.trouble, "browser log: "+e.Entry.Text)
	}
}

// close reports what went wrong unseen.
func (b *tab) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.trouble {
		b.Error(s)
	}
	if b.requests == 0 {
		b.Error("the request for the page itself was not seen: nothing is proved about others")
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// eval returns the value of an expression in the page after all is drawn.
func eval[T any](b *tab, js string) T {
	b.Helper()
	js = untilSettled + ".then(() => (" + js + "))"
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", js, err)
	}
	return v
}

// want fails unless the expression has the value.
func want[T comparable](b *tab, js string, v T) {
	b.Helper()
	if got := eval[T](b, js); got != v {
		b.Errorf("%s: %v, want %v", js, got, v)
	}
}

// keys types into the page.
func (b *tab) keys(s string) {
	b.Helper()
	b.do(chromedp.KeyEvent(s))
	b.settle()
}

// hash changes the address as one does by hand.
func (b *tab) hash(s string) {
	b.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		b.Fatal(err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`void (location.hash = ` + string(text) + `)`))
	b.settle()
}

// search puts a text into the search box and leaves the cursor there.
func (b *tab) search(s string) {
	b.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		b.Fatal(err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { const s = document.getElementById("search"); s.focus(); s.value = ` + string(text) +
		`; s.dispatchEvent(new Event("input")); })()`))
	b.settle()
}

// scheme chooses light or dark.
func (b *tab) scheme(name string) {
	b.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	if err != nil {
		b.Fatal(err)
	}
}

// media chooses a medium: "print", or "" for the screen.
func (b *tab) media(name string) {
	b.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: name})
	if err != nil {
		b.Fatal(err)
	}
}

// shot writes what the window shows to the directory that PICTURES names, for
// looking at.
func (b *tab) shot(name string) {
	b.Helper()
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}
