// Pion behind the peer protocol.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	"github.com/pion/webrtc"
)

var version = "?"

type object map[string]interface{}

type refusal struct{ kind, message string }

func (r refusal) Error() string { return r.message }

// Command is a line of the protocol.
type Command struct {
	ID                *json.RawMessage `json:"id"`
	Do                string           `json:"do"`
	Trickle           *bool            `json:"trickle"`
	Mdns              bool             `json:"mdns"`
	Dtls              string           `json:"dtls"`
	Groups            []string         `json:"groups"`
	IceServers        []Server         `json:"ice_servers"`
	TransportPolicy   string           `json:"transport_policy"`
	Channel           string           `json:"channel"`
	Label             string           `json:"label"`
	Ordered           *bool            `json:"ordered"`
	MaxRetransmits    *uint16          `json:"max_retransmits"`
	MaxPacketLifeTime *uint16          `json:"max_packet_life_time"`
	Protocol          string           `json:"protocol"`
	Negotiated        bool             `json:"negotiated"`
	Stream            *uint16          `json:"stream"`
	IceRestart        bool             `json:"ice_restart"`
	Type              string           `json:"type"`
	SDP               string           `json:"sdp"`
	Candidate         string           `json:"candidate"`
	Mid               *string          `json:"mid"`
	Index             *uint16          `json:"index"`
	Ufrag             *string          `json:"ufrag"`
	Text              *string          `json:"text"`
	Base64            *string          `json:"base64"`
	Fill              *Fill            `json:"fill"`
	Bytes             int              `json:"bytes"`
	MessageSize       int              `json:"message_size"`
	Seed              int64            `json:"seed"`
	Mode              string           `json:"mode"`
}

// Server is one of `ice_servers`.
type Server struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// Fill is the content of a message, from a seed.
type Fill struct {
	Bytes  int   `json:"bytes"`
	Seed   int64 `json:"seed"`
	Binary *bool `json:"binary"`
}

// Peer is one peer connection.
type Peer struct {
	start    time.Time
	out      sync.Mutex
	over     bool
	pc       *webrtc.PeerConnection
	trickle  bool
	mdns     bool
	config   webrtc.Configuration
	lock     sync.Mutex
	channels map[string]*Channel
	incoming int
	early    []webrtc.ICECandidateInit
	limit    int
}

func (p *Peer) emit(event string, fields object) {
	p.out.Lock()
	defer p.out.Unlock()
	if p.over && event != "done" && event != "error" && event != "bye" {
		return
	}
	fields["event"] = event
	fields["at_ms"] = float64(time.Since(p.start).Microseconds()) / 1000
	line, _ := json.Marshal(fields)
	os.Stdout.Write(append(line, '\n'))
}

func (p *Peer) connection() (*webrtc.PeerConnection, error) {
	if p.pc != nil {
		return p.pc, nil
	}
	// Pion logs to standard output, which is the protocol's here.
	logs := logging.NewDefaultLoggerFactory()
	logs.Writer = os.Stderr
	engine := webrtc.SettingEngine{LoggerFactory: logs}
	if p.mdns {
		engine.SetICEMulticastDNSMode(ice.MulticastDNSModeQueryAndGather)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(engine)).NewPeerConnection(p.config)
	if err != nil {
		return nil, err
	}
	p.pc = pc
	pc.OnSignalingStateChange(func(s webrtc.SignalingState) { p.emit("state", object{"signaling": s.String()}) })
	pc.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) { p.emit("state", object{"ice": s.String()}) })
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { p.emit("state", object{"connection": s.String()}) })
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil && p.trickle {
			init := c.ToJSON()
			p.emit("candidate", object{"candidate": init.Candidate, "mid": "0", "index": 0, "ufrag": init.UsernameFragment})
		}
	})
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		p.lock.Lock()
		handle := fmt.Sprintf("remote-%d", p.incoming)
		p.incoming++
		p.lock.Unlock()
		p.emit("channel", object{
			"channel": handle, "label": dc.Label(), "protocol": dc.Protocol(), "ordered": dc.Ordered(), "stream": dc.ID(),
			"max_retransmits": dc.MaxRetransmits(), "max_packet_life_time": dc.MaxPacketLifeTime(), "negotiated": false,
		})
		p.adopt(handle, dc)
	})
	return pc, nil
}

func (p *Peer) configure(c *Command) error {
	if len(c.Groups) > 0 {
		return refusal{"Unsupported", "the adapter cannot set DTLS groups"}
	}
	if c.Dtls != "" && c.Dtls != "1.2" && c.Dtls != "any" {
		return refusal{"Unsupported", "Pion speaks DTLS 1.2 alone"}
	}
	if c.Trickle != nil {
		p.trickle = *c.Trickle
	}
	p.mdns = p.mdns || c.Mdns
	for _, s := range c.IceServers {
		p.config.ICEServers = append(p.config.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	if c.TransportPolicy == "relay" {
		p.config.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return nil
}

// describe sets a description and tells it.
func (p *Peer) describe(description webrtc.SessionDescription) (object, error) {
	complete := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(description); err != nil {
		return nil, err
	}
	if !p.trickle {
		<-complete
	}
	local := object{"type": description.Type.String(), "sdp": p.pc.LocalDescription().SDP}
	p.emit("description", object{"type": local["type"], "sdp": local["sdp"]})
	return object{"description": local}, nil
}

// Its SCTP sends no longer messages.
const ownLimit = 65535

var maxMessageSize = regexp.MustCompile(`a=max-message-size:(\d+)`)

func (p *Peer) remote(c *Command) (object, error) {
	description := webrtc.SessionDescription{Type: webrtc.NewSDPType(c.Type), SDP: c.SDP}
	if err := p.pc.SetRemoteDescription(description); err != nil {
		return nil, err
	}
	// Pion keeps to no limit of the other side: this tells it from the description.
	p.limit = ownLimit
	if said := maxMessageSize.FindStringSubmatch(c.SDP); said != nil {
		if limit, _ := strconv.Atoi(said[1]); limit > 0 && limit < p.limit {
			p.limit = limit
		}
	}
	p.emit("state", object{"max_message_size": p.limit})
	for _, candidate := range p.early {
		if err := p.pc.AddICECandidate(candidate); err != nil {
			return nil, err
		}
	}
	p.early = nil
	if c.Type != "offer" {
		return nil, nil
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	_, err = p.describe(answer)
	return nil, err
}

func (p *Peer) candidate(c *Command) error {
	candidate := webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.Mid, SDPMLineIndex: c.Index, UsernameFragment: c.Ufrag}
	if p.pc.RemoteDescription() == nil {
		p.early = append(p.early, candidate)
		return nil
	}
	return p.pc.AddICECandidate(candidate)
}

func (p *Peer) carryOut(c *Command) (object, error) {
	if c.Do == "configure" {
		return nil, p.configure(c)
	}
	pc, err := p.connection()
	if err != nil {
		return nil, err
	}
	p.lock.Lock()
	channel := p.channels[c.Channel]
	p.lock.Unlock()
	switch c.Do {
	case "channel":
		init := &webrtc.DataChannelInit{Ordered: c.Ordered, MaxRetransmits: c.MaxRetransmits, MaxPacketLifeTime: c.MaxPacketLifeTime, ID: c.Stream}
		if c.Protocol != "" {
			init.Protocol = &c.Protocol
		}
		if c.Negotiated {
			init.Negotiated = &c.Negotiated
		}
		dc, err := pc.CreateDataChannel(c.Label, init)
		if err != nil {
			return nil, err
		}
		return object{"stream": p.adopt(c.Channel, dc).stream()}, nil
	case "offer":
		offer, err := pc.CreateOffer(&webrtc.OfferOptions{ICERestart: c.IceRestart})
		if err != nil {
			return nil, err
		}
		return p.describe(offer)
	case "remote":
		return p.remote(c)
	case "candidate":
		return nil, p.candidate(c)
	case "stats":
		return nil, p.stats()
	case "close", "quit":
		p.out.Lock()
		p.over = true
		p.out.Unlock()
		// Pion tells then that the other side has closed before.
		if err := pc.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return nil, nil
	}
	if channel == nil {
		if c.Channel == "" {
			return nil, refusal{"Unsupported", "no command " + c.Do}
		}
		return nil, refusal{"TypeError", "no channel " + c.Channel}
	}
	switch c.Do {
	case "send":
		return channel.send(c)
	case "stream":
		if channel.raw.ReadyState() != webrtc.DataChannelStateOpen {
			return nil, refusal{"InvalidStateError", "the channel is not open"}
		}
		go channel.pour(c.Bytes, c.MessageSize, c.Seed)
	case "receive":
		channel.receive(c.Mode)
	case "close_channel":
		return nil, channel.raw.Close()
	default:
		return nil, refusal{"Unsupported", "no command " + c.Do}
	}
	return nil, nil
}

func (p *Peer) stats() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	channels := object{}
	for handle, channel := range p.channels {
		channel.tally()
		channels[handle] = channel.stats()
	}
	p.emit("stats", object{"channels": channels, "dtls": object{"version": "1.2"}})
	return nil
}

func main() {
	p := &Peer{start: time.Now(), trickle: true, channels: map[string]*Channel{}}
	clock, _ := os.ReadFile("/proc/uptime")
	var uptime float64
	fmt.Sscanf(string(clock), "%f", &uptime)
	p.emit("ready", object{"stack": "pion", "version": version, "supports": []string{"trickle", "dtls-1.2", "mdns", "restart"}, "start_ms": uptime * 1000})
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		command := &Command{MessageSize: 16384}
		var result object
		if err = json.Unmarshal(line, command); err == nil {
			result, err = p.carryOut(command)
		}
		answer, event := object{}, "done"
		for key, value := range result {
			answer[key] = value
		}
		if err != nil {
			event, answer = "error", object{"kind": "Error", "message": err.Error()}
			if r, ok := err.(refusal); ok {
				answer["kind"] = r.kind
			}
		}
		if command.ID != nil {
			answer["id"] = command.ID
		}
		p.emit(event, answer)
		if command.Do == "quit" {
			break
		}
	}
	p.emit("bye", object{})
}
