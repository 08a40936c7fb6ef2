// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0

// Loads a relocated object with cilium/ebpf, from memory, and prints what was loaded.
//
//	go run . exec.relocated.bpf.o
//
// Nothing is special about a relocated object: its list of CO-RE relocations is empty, so the library does not look for the kernel's BTF.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s OBJECT\n", os.Args[0])
		os.Exit(2)
	}
	if err := load(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func load(path string) error {
	object, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// Kernels before 5.11 count the memory of maps against this limit.
	if err := rlimit.RemoveMemlock(); err != nil {
		return err
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return err
	}
	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	defer collection.Close()
	// From here on as ever: link.AttachRawTracepoint and the like, maps.
	for name := range collection.Programs {
		fmt.Printf("loaded %s (%s)\n", name, spec.Programs[name].SectionName)
	}
	return nil
}
