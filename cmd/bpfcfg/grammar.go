package main

import (
	"errors"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// parse reads the command line into c. Describing all verbs would take most of the time of a short
// run, so it describes only the verb that the first argument names, if that suffices: help, errors
// and the verbs that print the description need the whole.
func parse(c *cli, args []string, std streams) (*kong.Context, error) {
	if one, ok := only(c, args); ok {
		ctx, err := grammar(one.Interface(), std).Parse(args)
		if err == nil {
			keep(reflect.ValueOf(c).Elem(), one.Elem())
			return ctx, nil
		}
	}
	return grammar(c, std).Parse(args)
}

// grammar describes a command line to kong.
func grammar(declared any, std streams) *kong.Kong {
	k, err := kong.New(declared,
		kong.Name("bpfcfg"),
		kong.Description("Shows the control flow of eBPF programs before and after the x86-64 JIT, "+
			"and proves that the two agree."),
		kong.NoDefaultHelp(),
		kong.Writers(std.out, std.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
	)
	if err != nil {
		panic("bug: the command line is declared wrongly: " + err.Error())
	}
	return k
}

// only returns a pointer to a structure with the flags of c and the verb that args begin with, and
// whether that suffices.
func only(c *cli, args []string) (reflect.Value, bool) {
	var fields []reflect.StructField
	found := false
	for f := range reflect.TypeFor[cli]().Fields() {
		_, verb := f.Tag.Lookup("cmd")
		named := verb && len(args) > 0 && verbName(f) == args[0]
		found = found || named && f.Tag.Get("model") == ""
		if !verb || named {
			fields = append(fields, f)
		}
	}
	for _, a := range args {
		if a == "--" {
			break
		}
		if strings.HasPrefix(a, "-h") || strings.HasPrefix(a, "--h") {
			return reflect.Value{}, false // kong prints help while it parses
		}
	}
	if !found {
		return reflect.Value{}, false
	}
	return reflect.New(reflect.StructOf(fields)), true
}

// verbName returns the name of a verb on the command line.
func verbName(f reflect.StructField) string {
	if name := f.Tag.Get("name"); name != "" {
		return name
	}
	return strings.ToLower(f.Name)
}

// keep copies the fields that a structure shares with c.
func keep(c, from reflect.Value) {
	for f := range from.Type().Fields() {
		c.FieldByName(f.Name).Set(from.FieldByName(f.Name))
	}
}

// errHelp ends parsing after the usage has been printed.
var errHelp = errors.New("help was asked for")
