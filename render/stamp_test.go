package render

import (
	"strings"
	"testing"
)

// TestStamp checks that only a complete proof gets the sign ✓.
func TestStamp(t *testing.T) {
	for _, c := range []struct {
		name  string
		scene Scene
		want  string
		mark  bool
	}{
		{"nothing compared", Scene{}, "", false},
		{"proven", Scene{Checked: "all"}, "✓ all", true},
		{"refused", Scene{Checked: "all", Refused: "by linux-7.3: no"}, "⊘ refused by linux-7.3: no", false},
		{"gaps", Scene{Checked: "all", Unsure: []string{"1 jump with unknown targets"}},
			"≈ agrees: all; not proven: 1 jump with unknown targets", false},
		{"differs", Scene{Checked: "all", Mismatches: []string{"x"}}, "", false},
	} {
		_, text := c.scene.stamp()
		if text != c.want {
			t.Errorf("%s: %q, want %q", c.name, text, c.want)
		}
		l, err := Place(&c.scene, PlaceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		svg := string(SVG(&c.scene, l))
		if strings.Contains(svg, "✓") != c.mark {
			t.Errorf("%s: the picture has ✓: %v, want %v", c.name, !c.mark, c.mark)
		}
	}
}
