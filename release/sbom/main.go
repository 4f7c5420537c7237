// Command sbom writes what an archive is made of, as a software bill of materials in
// CycloneDX's JSON:
//
//	sbom --version 1.2.3 ARCHIVE DOCUMENT
//
// It tells the archive's checksum, each Go program in it with its own, and the modules
// and the Go that Go says the program was made of. The modules of this repository,
// which are taken from beside each other and have no version in a program, are given
// that of the release. There is neither a time nor a random number in it: the same
// archive gives the same document.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"

	"github.com/codeboltai/codebolt-providers/shared/archive"
)

// format is the version of CycloneDX that is written. Not all who read it know the next.
const format = cyclonedx.SpecVersion1_6

func main() {
	version := flag.String("version", "", "the version of the release")
	flag.Parse()
	if err := run(context.Background(), *version, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version string, args []string) (err error) {
	if len(args) != 2 || version == "" {
		return errors.New("the arguments are --version VERSION, an archive and the document to write")
	}
	packed, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer packed.Close()
	info, err := packed.Stat()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sbom-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := archive.Unpack(ctx, packed, info.Size(), root, archive.UnpackOptions{}); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	sum, err := sumOf(io.NewSectionReader(packed, 0, info.Size()))
	if err != nil {
		return err
	}
	bom, err := describe(root.FS(), "v"+version)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	whole := bom.Metadata.Component
	whole.Name, whole.Version, whole.Hashes = filepath.Base(args[0]), version, &[]cyclonedx.Hash{sum}
	var text bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, format); err != nil {
		return err
	}
	return os.WriteFile(args[1], text.Bytes(), 0o644)
}

func sumOf(r io.Reader) (cyclonedx.Hash, error) {
	sum := sha256.New()
	_, err := io.Copy(sum, r)
	return cyclonedx.Hash{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum.Sum(nil))}, err
}

// describe tells of the Go programs in a folder; there must be some.
func describe(folder fs.FS, version string) (*cyclonedx.BOM, error) {
	const whole = "archive"
	programs, modules := []cyclonedx.Component{}, map[string]cyclonedx.Component{}
	needs := []cyclonedx.Dependency{}
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		made, err := buildinfo.Read(bytes.NewReader(text))
		if err != nil {
			return nil //nolint:nilerr // it is no Go program
		}
		sum, err := sumOf(bytes.NewReader(text))
		if err != nil {
			return err
		}
		program := cyclonedx.Component{
			BOMRef: "file:" + name, Type: cyclonedx.ComponentTypeApplication, Name: name, Version: version, Hashes: &[]cyclonedx.Hash{sum},
		}
		uses := []string{}
		for _, module := range modulesOf(made, version) {
			modules[module.BOMRef] = module
			uses = append(uses, module.BOMRef)
		}
		programs = append(programs, program)
		needs = append(needs, cyclonedx.Dependency{Ref: program.BOMRef, Dependencies: &uses})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(programs) == 0 {
		return nil, errors.New("there is no Go program in it")
	}
	all := slices.Clone(programs)
	for _, module := range modules {
		all = append(all, module)
	}
	slices.SortFunc(all, func(a, b cyclonedx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	has := make([]string, 0, len(programs))
	for _, program := range programs {
		has = append(has, program.BOMRef)
	}
	needs = append([]cyclonedx.Dependency{{Ref: whole, Dependencies: &has}}, needs...)
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{BOMRef: whole, Type: cyclonedx.ComponentTypeApplication}}
	bom.Components, bom.Dependencies = &all, &needs
	return bom, nil
}

// modulesOf are what a program is made of, sorted: modules, and Go with its library.
func modulesOf(made *debug.BuildInfo, version string) []cyclonedx.Component {
	all := []cyclonedx.Component{library("std", strings.TrimPrefix(strings.Fields(made.GoVersion)[0], "go"), "")}
	all = append(all, library(made.Main.Path, version, ""))
	for _, m := range made.Deps {
		name := m.Path
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version == "" || m.Version == "(devel)" { // a folder of this repository
			m = &debug.Module{Path: name, Version: version}
		}
		all = append(all, library(m.Path, m.Version, m.Sum))
	}
	slices.SortFunc(all, func(a, b cyclonedx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	return all
}

// library is a module. Its sum, as in go.sum, is the SHA-256 of its list of files.
func library(path, version, sum string) cyclonedx.Component {
	c := cyclonedx.Component{
		Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version,
		PackageURL: "pkg:golang/" + path + "@" + url.QueryEscape(version),
	}
	c.BOMRef = c.PackageURL
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(raw) == sha256.Size {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
	}
	return c
}
