extends Node
# One of two processes that connect over real UDP; TCP on the loopback interface carries the signalling.
#   listen:PORT, connect:PORT   exchange a hundred messages each way, answer 0 when all came in order
#   exit                        connects two peers and leaves while everything is open

const MESSAGES = 100

var peer = WebRTCPeerConnection.new()
var channel = null
var stream = null
var server = null
var buffer = ""
var got = 0
var sent = 0
var deadline = Time.get_ticks_msec() + 15000
var others = []

func run(what):
	if what == "exit":
		leave_open()
		return
	var parts = what.split(":")
	peer.session_description_created.connect(self._description)
	peer.ice_candidate_created.connect(self._candidate)
	channel = peer.create_data_channel("process", {"negotiated": true, "id": 1})
	if parts[0] == "listen":
		server = TCPServer.new()
		server.listen(int(parts[1]), "127.0.0.1")
	else:
		# The listener may still be starting.
		while stream == null:
			var attempt = StreamPeerTCP.new()
			attempt.connect_to_host("127.0.0.1", int(parts[1]))
			while attempt.get_status() == StreamPeerTCP.STATUS_CONNECTING:
				attempt.poll()
				await get_tree().process_frame
			if attempt.get_status() == StreamPeerTCP.STATUS_CONNECTED:
				stream = attempt
			else:
				await get_tree().process_frame
		peer.create_offer()

func _description(type, sdp):
	peer.set_local_description(type, sdp)
	say({"type": type, "sdp": sdp})

func _candidate(media, index, name):
	say({"media": media, "index": index, "name": name})

func say(message):
	stream.put_data((JSON.stringify(message) + "\n").to_utf8_buffer())

func hear(line):
	var message = JSON.parse_string(line)
	if message.has("sdp"):
		peer.set_remote_description(message["type"], message["sdp"])
	else:
		peer.add_ice_candidate(message["media"], int(message["index"]), message["name"])

func _process(_delta):
	if channel == null:
		for other in others:
			other.poll()
		return
	if server != null and server.is_connection_available():
		stream = server.take_connection()
	if stream == null:
		return
	stream.poll()
	if stream.get_status() == StreamPeerTCP.STATUS_CONNECTED and stream.get_available_bytes() > 0:
		buffer += stream.get_utf8_string(stream.get_available_bytes())
		while "\n" in buffer:
			var end = buffer.find("\n")
			hear(buffer.substr(0, end))
			buffer = buffer.substr(end + 1)
	peer.poll()
	if channel.get_ready_state() == WebRTCDataChannel.STATE_OPEN and sent < MESSAGES:
		channel.put_var(sent)
		sent += 1
	while channel.get_available_packet_count() > 0:
		if channel.get_var() != got:
			finish("out of order", 1)
			return
		got += 1
	if sent == MESSAGES and got == MESSAGES:
		finish("%d messages each way, %s" % [got, peer.get_selected_pair()["remote"]["address"]], 0)
	elif channel.get_ready_state() == WebRTCDataChannel.STATE_CLOSED and got == MESSAGES:
		finish("the other side has all", 0)
	elif Time.get_ticks_msec() > deadline:
		finish("only %d of %d messages came" % [got, MESSAGES], 1)

var finishing = false

func finish(what, code):
	if finishing:
		return
	finishing = true
	print("process: " + what)
	# What is queued for the other side leaves first.
	for _i in range(60):
		peer.poll()
		await get_tree().process_frame
	get_tree().quit(code)

func leave_open():
	var a = WebRTCPeerConnection.new()
	var b = WebRTCPeerConnection.new()
	a.session_description_created.connect(b.set_remote_description)
	a.session_description_created.connect(a.set_local_description)
	b.session_description_created.connect(a.set_remote_description)
	b.session_description_created.connect(b.set_local_description)
	a.ice_candidate_created.connect(b.add_ice_candidate)
	b.ice_candidate_created.connect(a.add_ice_candidate)
	others = [a, b]
	var channels = [a.create_data_channel("x", {"negotiated": true, "id": 1}),
		b.create_data_channel("x", {"negotiated": true, "id": 1})]
	a.create_offer()
	while channels[0].get_ready_state() != WebRTCDataChannel.STATE_OPEN:
		await get_tree().process_frame
	channels[0].put_packet("unread".to_utf8_buffer())
	print("process: leaving with everything open")
	get_tree().quit(0)
