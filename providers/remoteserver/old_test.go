//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

func TestProgramsThatNobodyUsedForLongGoWhenAnotherIsUploaded(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	dir := filepath.Join(s.home, ".codebolt", "runtime")
	day := 24 * time.Hour
	aged := func(path string, age time.Duration) string {
		t.Helper()
		stage.Write(t, path, "a program of before")
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program := func(name string, age time.Duration) string {
		t.Helper()
		return aged(filepath.Join(dir, name, "codebolt-runtime"), age)
	}
	gone := program(strings.Repeat("0a", 32), 40*day)
	stays := []string{
		program(strings.Repeat("1b", 32), 20*day),            // used of late
		program(strings.Repeat("2c", 32), 40*day),            // with something else beside it
		program(strings.Repeat("3z", 32), 40*day),            // no hash
		program(strings.Repeat("4d", 31), 40*day),            // too short for one
		aged(filepath.Join(dir, "store", "x"), 40*day),       // what others may need
		program("store", 40*day),                             // nor is this one
		aged(filepath.Join(dir, "codebolt-runtime"), day*40), // nobody's
	}
	stays = append(stays, aged(filepath.Join(dir, strings.Repeat("2c", 32), ".notes"), 40*day))
	e, _ := s.Opened("new", nil)
	if _, err := os.Lstat(filepath.Dir(gone)); !os.IsNotExist(err) {
		t.Errorf("the old program is still there: %v", err)
	}
	for _, path := range stays {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	s.Stop(e, "removeIfClean")
}

func TestAProgramThatIsUsedIsNotedAsUsed(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	e, _ := s.Opened("used", nil)
	s.Close(e)
	at := s.programs()[0]
	then := time.Now().Add(-40 * 24 * time.Hour)
	if err := os.Chtimes(at, then, then); err != nil {
		t.Fatal(err)
	}
	s.Start(e)
	if info, err := os.Stat(at); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("the program's file is of %v, %v", info.ModTime(), err)
	}
	s.Stop(e, "removeIfClean")
}
