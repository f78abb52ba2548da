// The tools of those who work on bpfcfg, a module of their own: go install ./...
// at the top builds the two commands and nothing else.
module github.com/bpfcfg/bpfcfg/tools

go 1.26.0

require (
	github.com/bpfcfg/bpfcfg v0.0.0
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/cilium/ebpf v0.22.0
	golang.org/x/arch v0.32.0
)

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	golang.org/x/image v0.47.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
)

replace github.com/bpfcfg/bpfcfg => ../
