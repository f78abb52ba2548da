package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/bpfcfg/bpfcfg/internal/atomicfile"
	"github.com/bpfcfg/bpfcfg/render"
)

// shot is a screenshot of a page.
type shot struct {
	name, text string
	program    shown
	hash       string // after the page's address
	keys       string // pressed one after the other
	dark       bool
}

// shots returns what is shown of pages.
func shots() []shot {
	corpus := small()
	return []shot{
		{name: "page-block", text: "A block is chosen: its edges, instructions, facts and machine code.",
			program: corpus[8], hash: "#b1"},
		{name: "page-dark", text: "The same in the dark scheme, with the way to a successor.",
			program: corpus[8], hash: "#b1", keys: "s", dark: true},
		{name: "page-far", text: "10,001 generated blocks at once, zoomed out.", program: huge(), keys: "0"},
		{name: "page-near", text: "A block among them, with the small map.", program: huge(), hash: "#b5000", keys: "f"},
	}
}

// pages adds the screenshots to the document.
func pages(page *bytes.Buffer) {
	page.WriteString("\n## Pages\n\nMade for large programs: `bpfcfg render prog.o -o prog.html`. Shown in Chromium.\n")
	for _, s := range shots() {
		fmt.Fprintf(page, "\n%s\n\n![%s](gallery/%s.png)\n", s.text, s.name, s.name)
	}
}

// shoot writes the screenshots to dir; without Chromium it leaves the old ones.
func shoot(root, dir string) error {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		fmt.Fprintln(os.Stderr, "gallery: no chromium on PATH: the screenshots of pages stay as they are")
		return nil
	}
	opt := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox,
		chromedp.DisableGPU)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opt...)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	temp, err := os.MkdirTemp("", "gallery")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	for _, s := range shots() {
		file := filepath.Join(temp, s.name+".html")
		if err := s.write(root, file); err != nil {
			return err
		}
		png, err := s.take(ctx, file)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := atomicfile.Write(filepath.Join(dir, s.name+".png"), png); err != nil {
			return err
		}
	}
	return nil
}

// write writes the page for the screenshot.
func (s shot) write(root, file string) error {
	scene, err := s.program.scene(root)
	if err != nil {
		return err
	}
	l, err := render.Place(scene, render.PlaceOptions{})
	if err != nil {
		return err
	}
	page, err := render.HTML(scene, l)
	if err != nil {
		return err
	}
	return os.WriteFile(file, page, 0o600)
}

// drawn is a promise that resolves when the page has drawn everything that it shows.
const drawn = `(async () => { do await new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)));
	while (document.getElementById("picture").getAttribute("aria-busy") !== "false"); return true; })()`

// take shows the page and returns what the window holds.
func (s shot) take(ctx context.Context, file string) ([]byte, error) {
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		return nil, err
	}
	err = chromedp.Do(ctx, chromedp.EmulateViewport(1200, 750), chromedp.Navigate("about:blank"),
		chromedp.Navigate("file://"+file+s.hash))
	if err != nil {
		return nil, err
	}
	for _, key := range s.keys {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](drawn, chromedp.EvalAwaitPromise)); err != nil {
			return nil, err
		}
		if err := chromedp.Do(ctx, chromedp.KeyEvent(string(key))); err != nil {
			return nil, err
		}
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](drawn, chromedp.EvalAwaitPromise)); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}
