extends Node
# A peer that others drive: the core of the peer protocol, one JSON object a line, over TCP on the loopback interface.

var peer = WebRTCPeerConnection.new()
var stream = StreamPeerTCP.new()
var buffer = ""
# By handle: {channel, label, state, echo}.
var channels = {}
var incoming = 0
var connection = WebRTCPeerConnection.STATE_NEW
var ending = false

const CONNECTION = ["new", "connecting", "connected", "disconnected", "failed", "closed"]

func run(port):
	peer.connect("session_description_created", self, "_description")
	peer.connect("ice_candidate_created", self, "_candidate")
	peer.connect("data_channel_received", self, "_channel")
	stream.connect_to_host("127.0.0.1", int(port))
	while stream.get_status() == StreamPeerTCP.STATUS_CONNECTING:
		yield(get_tree(), "idle_frame")
	var version = Engine.get_version_info()["string"]
	tell({"event": "ready", "stack": "godot", "version": version, "supports": [], "start_ms": 0})

func tell(event):
	event["at_ms"] = OS.get_ticks_usec() / 1000.0
	stream.put_data((JSON.print(event) + "\n").to_utf8())

func _description(type, sdp):
	peer.set_local_description(type, sdp)
	tell({"event": "description", "type": type, "sdp": sdp})

func _candidate(media, index, name):
	tell({"event": "candidate", "candidate": name, "mid": media, "index": index})

func _channel(channel):
	incoming += 1
	var handle = "in-%d" % incoming
	channels[handle] = {"channel": channel, "state": WebRTCDataChannel.STATE_CONNECTING, "echo": false}
	tell({"event": "channel", "channel": handle, "label": channel.get_label(), "protocol": channel.get_protocol(),
		"ordered": channel.is_ordered(), "negotiated": channel.is_negotiated(), "stream": channel.get_id()})

func _process(_delta):
	if stream.get_status() == StreamPeerTCP.STATUS_CONNECTED and stream.get_available_bytes() > 0:
		buffer += stream.get_utf8_string(stream.get_available_bytes())
		while "\n" in buffer:
			var end = buffer.find("\n")
			hear(parse_json(buffer.substr(0, end)))
			buffer = buffer.substr(end + 1)
	peer.poll()
	if peer.get_connection_state() != connection:
		connection = peer.get_connection_state()
		tell({"event": "state", "connection": CONNECTION[connection]})
	for handle in channels:
		look(handle, channels[handle])

func look(handle, entry):
	var channel = entry["channel"]
	var state = channel.get_ready_state()
	if entry["state"] == WebRTCDataChannel.STATE_CONNECTING and state != WebRTCDataChannel.STATE_CONNECTING:
		entry["state"] = WebRTCDataChannel.STATE_OPEN
		tell({"event": "open", "channel": handle, "stream": channel.get_id()})
	while channel.get_available_packet_count() > 0:
		var packet = channel.get_packet()
		var text = channel.was_string_packet()
		if entry["echo"]:
			put(channel, packet, text)
		elif text:
			tell({"event": "message", "channel": handle, "text": packet.get_string_from_utf8()})
		else:
			tell({"event": "message", "channel": handle, "base64": Marshalls.raw_to_base64(packet)})
	if state == WebRTCDataChannel.STATE_CLOSED and entry["state"] != state:
		entry["state"] = state
		tell({"event": "closed", "channel": handle, "stream": channel.get_id()})

func put(channel, packet, text):
	channel.set_write_mode(WebRTCDataChannel.WRITE_MODE_TEXT if text else WebRTCDataChannel.WRITE_MODE_BINARY)
	return channel.put_packet(packet)

func hear(command):
	var done = {"event": "done", "id": int(command["id"])}
	var code = OK
	match command["do"]:
		"configure", "receive", "stats":
			if command["do"] == "receive":
				channels[command["channel"]]["echo"] = command["mode"] == "echo"
			if command["do"] == "stats":
				tell({"event": "stats", "selected_pair": peer.get_selected_pair()})
		"channel":
			var options = {"ordered": command.get("ordered", true), "protocol": command.get("protocol", "")}
			if command.get("negotiated", false):
				options["negotiated"] = true
				options["id"] = int(command["stream"])
			var channel = peer.create_data_channel(command["label"], options)
			code = OK if channel != null else FAILED
			channels[command["channel"]] = {"channel": channel, "state": WebRTCDataChannel.STATE_CONNECTING,
				"echo": false}
		"offer":
			code = peer.create_offer()
		"remote":
			code = peer.set_remote_description(command["type"], command["sdp"])
		"candidate":
			if command["candidate"] != "":
				code = peer.add_ice_candidate(command.get("mid", ""), int(command.get("index", 0)), command["candidate"])
		"send":
			var text = command.has("text")
			var packet = command["text"].to_utf8() if text else Marshalls.base64_to_raw(command["base64"])
			code = put(channels[command["channel"]]["channel"], packet, text)
			done["bytes"] = packet.size()
			var digest = HashingContext.new()
			digest.start(HashingContext.HASH_SHA256)
			digest.update(packet)
			done["sha256"] = digest.finish().hex_encode()
		"close_channel":
			channels[command["channel"]]["channel"].close()
		"close":
			peer.close()
		"quit":
			ending = true
		_:
			tell({"event": "error", "id": done["id"], "kind": "Unsupported", "message": command["do"]})
			return
	if code == OK:
		tell(done)
	else:
		tell({"event": "error", "id": done["id"], "kind": "Error", "message": "%s gave %d" % [command["do"], code]})
	if ending:
		tell({"event": "bye"})
		stream.disconnect_from_host()
		get_tree().quit(0)
