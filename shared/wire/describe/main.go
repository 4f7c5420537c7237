// Command describe writes what the protocol reference says of messages: it fills the
// tables of docs/protocol.md from the source of package wire, of which that page then
// tells nothing but the truth. It is run in the folder of the module, by make docs.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := write("wire", filepath.Join("..", "docs", "protocol.md")); err != nil {
		fmt.Fprintln(os.Stderr, "describe:", err)
		os.Exit(1)
	}
}

func write(source, page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	s, err := read(source)
	if err != nil {
		return err
	}
	filled, err := s.fill(text)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if bytes.Equal(filled, text) {
		return nil
	}
	return os.WriteFile(page, filled, 0o644)
}
