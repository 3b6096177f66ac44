package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"math/rand"
	"sync"
	"time"

	"github.com/pion/webrtc"
)

const (
	high = 1 << 20
	low  = 1 << 18
)

// Channel is one channel: what the protocol asks of it beyond Pion.
type Channel struct {
	peer   *Peer
	handle string
	raw    *webrtc.DataChannel

	lock           sync.Mutex
	mode           string
	digest         hash.Hash
	counted, bytes int
	open, closed   bool
	echoes         chan webrtc.DataChannelMessage

	sent, received, bytesSent, bytesReceived int
}

func (p *Peer) adopt(handle string, raw *webrtc.DataChannel) *Channel {
	c := &Channel{peer: p, handle: handle, raw: raw, mode: "messages", echoes: make(chan webrtc.DataChannelMessage, 4096)}
	p.lock.Lock()
	p.channels[handle] = c
	p.lock.Unlock()
	raw.OnMessage(c.message)
	raw.OnOpen(c.opened)
	raw.OnClose(c.gone)
	go func() {
		for message := range c.echoes {
			c.drained(high)
			c.put(message.Data, message.IsString)
		}
	}()
	return c
}

func (c *Channel) stream() interface{} {
	if id := c.raw.ID(); id != nil {
		return *id
	}
	return nil
}

func (c *Channel) emit(event string, fields object) {
	fields["channel"] = c.handle
	c.peer.emit(event, fields)
}

func (c *Channel) opened() {
	c.lock.Lock()
	first := !c.open && !c.closed
	c.open = true
	c.lock.Unlock()
	if first {
		c.emit("open", object{"stream": c.stream()})
	}
}

func (c *Channel) isClosed() bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.closed
}

func (c *Channel) gone() {
	c.lock.Lock()
	first := !c.closed
	c.closed = true
	c.lock.Unlock()
	if first {
		c.tally()
		c.emit("closed", object{"stream": c.stream()})
	}
}

func (c *Channel) message(message webrtc.DataChannelMessage) {
	c.lock.Lock()
	c.received++
	c.bytesReceived += len(message.Data)
	mode := c.mode
	if mode == "count" {
		c.counted++
		c.bytes += len(message.Data)
		c.digest.Write(message.Data)
	}
	c.lock.Unlock()
	switch {
	case mode == "echo":
		c.echoes <- message
	case mode == "messages" && message.IsString:
		c.emit("message", object{"text": string(message.Data)})
	case mode == "messages":
		c.emit("message", object{"base64": base64.StdEncoding.EncodeToString(message.Data)})
	}
}

func (c *Channel) put(data []byte, text bool) error {
	c.lock.Lock()
	c.sent++
	c.bytesSent += len(data)
	c.lock.Unlock()
	if text {
		return c.raw.SendText(string(data))
	}
	return c.raw.Send(data)
}

func (c *Channel) drained(amount uint64) {
	for c.raw.BufferedAmount() > amount && !c.isClosed() {
		time.Sleep(time.Millisecond)
	}
}

func (c *Channel) send(command *Command) (object, error) {
	if c.raw.ReadyState() != webrtc.DataChannelStateOpen {
		return nil, refusal{"InvalidStateError", "the channel is not open"}
	}
	data, text := []byte{}, false
	switch {
	case command.Text != nil:
		data, text = []byte(*command.Text), true
	case command.Base64 != nil:
		data, _ = base64.StdEncoding.DecodeString(*command.Base64)
	case command.Fill != nil:
		data = make([]byte, command.Fill.Bytes)
		rand.New(rand.NewSource(command.Fill.Seed)).Read(data)
		if text = command.Fill.Binary != nil && !*command.Fill.Binary; text {
			for i := range data {
				data[i] = 0x20 + data[i]%95
			}
		}
	}
	if limit := c.peer.limit; limit > 0 && len(data) > limit {
		return nil, refusal{"TypeError", fmt.Sprintf("longer than %d bytes", limit)}
	}
	if err := c.put(data, text); err != nil {
		return nil, err
	}
	return object{"bytes": len(data), "sha256": fmt.Sprintf("%x", sha256.Sum256(data))}, nil
}

// pour sends so much; `streamed` follows when it has left the queue.
func (c *Channel) pour(size, messageSize int, seed int64) {
	source, digest, start := rand.New(rand.NewSource(seed)), sha256.New(), time.Now()
	part := make([]byte, messageSize)
	for left := size; left > 0; left -= len(part) {
		if c.raw.BufferedAmount() > high {
			c.drained(low)
		}
		if left < len(part) {
			part = part[:left]
		}
		source.Read(part)
		digest.Write(part)
		if c.isClosed() || c.put(part, false) != nil {
			return // `closed` follows.
		}
	}
	c.drained(0)
	if !c.isClosed() {
		sum := fmt.Sprintf("%x", digest.Sum(nil))
		c.emit("streamed", object{"bytes": size, "sha256": sum, "seconds": time.Since(start).Seconds()})
	}
}

func (c *Channel) receive(mode string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.mode, c.digest, c.counted, c.bytes = mode, sha256.New(), 0, 0
}

func (c *Channel) tally() {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.mode == "count" {
		sum := fmt.Sprintf("%x", c.digest.Sum(nil))
		c.emit("counted", object{"bytes": c.bytes, "messages": c.counted, "sha256": sum})
	}
}

func (c *Channel) stats() object {
	c.lock.Lock()
	defer c.lock.Unlock()
	return object{
		"state": c.raw.ReadyState().String(), "buffered": c.raw.BufferedAmount(), "sent": c.sent, "received": c.received,
		"bytes_sent": c.bytesSent, "bytes_received": c.bytesReceived,
	}
}
