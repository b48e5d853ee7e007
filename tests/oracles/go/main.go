// A client of C2SP logs, made of Go's own checksum-database packages (golang.org/x/mod/sumdb: tlog and note, unmodified).
// They know neither our code nor the paths of C2SP tiles, which only leave out the height: that is all this adds.
//
//	check LOG VKEY WITNESS...    LOG is a folder or an http URL; everything below its checkpoint is read and verified
//	prove FILE ENTRY VKEY        a c2sp.org/tlog-proof@v1 file about the bytes in the file ENTRY
//	write DIR COUNT              a log of COUNT records, signed with a new key, whose VKEY is printed
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(command string, args []string) error {
	switch command {
	case "check":
		return check(args[0], args[1], args[2:])
	case "prove":
		return prove(args[0], args[1], args[2])
	case "write":
		return write(args[0], args[1])
	}
	return errors.New("no such command")
}

// A log's files, wherever they are.

type files string

func (f files) read(path string) ([]byte, error) {
	if !strings.HasPrefix(string(f), "http://") {
		return os.ReadFile(filepath.Join(string(f), path))
	}
	answer, err := http.Get(string(f) + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

func (f files) Height() int                     { return height }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(path(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

func bundle(index int64, width int) string {
	return strings.Replace(path(tlog.Tile{H: height, L: 0, N: index, W: width}), "tile/0/", "tile/entries/", 1)
}

// Checkpoints and who signed them.

type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	stated := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, []byte(stated), sig[8:])
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed witness key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, errors.New("malformed witness key")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	return cosigner{parts[0], binary.BigEndian.Uint32(sum[:]), key[1:]}, nil
}

// open returns the tree that the log signed, and how many of the witnesses did.
func open(msg []byte, vkey string, witnesses []string) (tlog.Tree, int, error) {
	log, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	known := []note.Verifier{log}
	for _, each := range witnesses {
		witness, err := newCosigner(each)
		if err != nil {
			return tlog.Tree{}, 0, err
		}
		known = append(known, witness)
	}
	opened, err := note.Open(msg, note.VerifierList(known...))
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != log.Name() || opened.Sigs[0].Hash != log.KeyHash() {
		return tlog.Tree{}, 0, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, len(opened.Sigs) - 1, err
}

func check(where, vkey string, witnesses []string) error {
	log := files(strings.TrimSuffix(where, "/"))
	msg, err := log.read("checkpoint")
	if err != nil {
		return err
	}
	tree, cosigned, err := open(msg, vkey, witnesses)
	if err != nil {
		return err
	}
	// It trusts no tile that does not lead to the root.
	reader := tlog.TileHashReader(tree, log)
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	for index := int64(0); index < tree.N; index += 256 {
		width := int(min64(256, tree.N-index))
		data, err := log.read(bundle(index/256, width))
		if err != nil {
			return err
		}
		for at := index; at < index+int64(width); at++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return errors.New("a bundle is cut short")
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			hashes, err := tlog.StoredHashes(at, data[2:end], own)
			if err != nil {
				return err
			}
			stored, data = append(stored, hashes...), data[end:]
		}
		if len(data) != 0 {
			return errors.New("a bundle is too long")
		}
	}
	if root, err := tlog.TreeHash(tree.N, own); err != nil || root != tree.Hash {
		return fmt.Errorf("the entries have another root: %v", err)
	}
	for index := int64(0); index < tree.N; index += 1 + tree.N/50 {
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, stored[tlog.StoredHashIndex(0, index)]); err != nil {
			return err
		}
		older, err := tlog.TreeHash(index+1, own)
		if err != nil {
			return err
		}
		extends, err := tlog.ProveTree(tree.N, index+1, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(extends, tree.N, tree.Hash, index+1, older); err != nil {
			return err
		}
	}
	fmt.Println(tree.N, cosigned)
	return nil
}

func prove(file, entry, vkey string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	leaf, err := os.ReadFile(entry)
	if err != nil {
		return err
	}
	head, msg, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	tree, _, err := open(msg, vkey, nil)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	fmt.Println(tree.N, index)
	return nil
}

func write(dir, count string) error {
	size, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return err
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	var entries [][]byte
	for at := int64(0); at < size; at++ {
		entry := []byte(fmt.Sprintf("record %d", at))
		hashes, err := tlog.StoredHashes(at, entry, reader)
		if err != nil {
			return err
		}
		stored, entries = append(stored, hashes...), append(entries, entry)
	}
	for level := 0; size>>(height*level) > 0; level++ {
		nodes := size >> (height * level)
		for index := int64(0); index*256 < nodes; index++ {
			tile := tlog.Tile{H: height, L: level, N: index, W: int(min64(256, nodes-index*256))}
			data, err := tlog.ReadTileData(tile, reader)
			if err != nil {
				return err
			}
			if err := save(dir, path(tile), data); err != nil {
				return err
			}
		}
	}
	for index := int64(0); index*256 < size; index++ {
		var data []byte
		width := min64(256, size-index*256)
		for _, entry := range entries[index*256 : index*256+width] {
			data = append(append(data, byte(len(entry)>>8), byte(len(entry))), entry...)
		}
		if err := save(dir, bundle(index, int(width)), data); err != nil {
			return err
		}
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		return err
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, "go.example/log")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	msg, err := note.Sign(&note.Note{Text: fmt.Sprintf("go.example/log\n%d\n%s\n", size, root)}, signer)
	if err != nil {
		return err
	}
	fmt.Println(vkey)
	return save(dir, "checkpoint", msg)
}

func save(dir, path string, data []byte) error {
	target := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, data, 0o644)
}

func min64(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
