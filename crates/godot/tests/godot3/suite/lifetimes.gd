extends "res://suite/case.gd"
# Objects that end at bad moments.

static func new_names():
	return ["test_drop_of_a_channel", "test_drop_of_a_received_channel", "test_drop_of_a_peer",
		"test_drop_of_a_peer_in_its_own_signal", "test_close_in_its_own_signal", "test_initialize_again",
		"test_a_script_takes_the_object", "test_many_at_once"]

func open_pair():
	var c = couple()
	var options = {"negotiated": true, "id": 1}
	var pair = [c.a.create_data_channel("chat", options), c.b.create_data_channel("chat", options), c]
	c.a.create_offer()
	yield(until("open", pair[0], "get_ready_state", WebRTCDataChannel.STATE_OPEN), "completed")
	yield(until("open", pair[1], "get_ready_state", WebRTCDataChannel.STATE_OPEN), "completed")
	return pair

func test_drop_of_a_channel():
	var pair = yield(open_pair(), "completed")
	var his = pair[1]
	pair[0] = null
	yield(until("closed", his, "get_ready_state", WebRTCDataChannel.STATE_CLOSED), "completed")
	equal("the connection lives", pair[2].b.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED)

func test_drop_of_a_received_channel():
	var c = couple()
	c.b.disconnect("data_channel_received", c, "_channel")
	c.b.connect("data_channel_received", self, "_refuse")
	var hers = c.a.create_data_channel("refused")
	c.a.create_offer()
	yield(until("closed", hers, "get_ready_state", WebRTCDataChannel.STATE_CLOSED), "completed")

func _refuse(_channel):
	pass

func test_drop_of_a_peer():
	var pair = yield(open_pair(), "completed")
	pair[2].forget()
	pair[2].a = null
	yield(until("closed", pair[1], "get_ready_state", WebRTCDataChannel.STATE_CLOSED), "completed")
	equal("our channel", pair[0].get_ready_state(), WebRTCDataChannel.STATE_CLOSED)

var dropped = 0
var held = null

func test_drop_of_a_peer_in_its_own_signal():
	held = WebRTCPeerConnection.new()
	held.connect("session_description_created", self, "_drop")
	var channel = held.create_data_channel("x")
	held.create_offer()
	held.poll()
	equal("told once", dropped, 1)
	equal("gone", held, null)
	yield(frames(3), "completed")
	equal("its channel", channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED)

func _drop(_type, _sdp):
	dropped += 1
	held = null

func test_close_in_its_own_signal():
	var peer = WebRTCPeerConnection.new()
	peer.connect("session_description_created", self, "_close", [peer])
	var channel = peer.create_data_channel("x")
	peer.create_offer()
	peer.poll()
	equal("state", peer.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED)
	check("channel", channel != null)
	peer.disconnect("session_description_created", self, "_close")

func _close(_type, _sdp, peer):
	peer.close()

func test_initialize_again():
	var pair = yield(open_pair(), "completed")
	equal("initialize", pair[2].a.initialize(), OK)
	equal("state", pair[2].a.get_connection_state(), WebRTCPeerConnection.STATE_NEW)
	equal("old channel", pair[0].get_ready_state(), WebRTCDataChannel.STATE_CLOSED)
	yield(until("the far end hears of it", pair[1], "get_ready_state", WebRTCDataChannel.STATE_CLOSED), "completed")
	pair[2].b.initialize()
	var options = {"negotiated": true, "id": 2}
	var hers = pair[2].a.create_data_channel("again", options)
	var his = pair[2].b.create_data_channel("again", options)
	equal("offer", pair[2].a.create_offer(), OK)
	yield(until("open", hers, "get_ready_state", WebRTCDataChannel.STATE_OPEN), "completed")
	yield(until("open", his, "get_ready_state", WebRTCDataChannel.STATE_OPEN), "completed")

# Another script unbinds the plug-in: the engine's own answer, and no crash.
func test_a_script_takes_the_object():
	var peer = WebRTCPeerConnection.new()
	var script = GDScript.new()
	script.source_code = "extends WebRTCPeerConnectionGDNative\n"
	script.reload()
	peer.set_script(script)
	equal("poll", peer.poll(), ERR_UNCONFIGURED)

func test_many_at_once():
	var peers = []
	for _i in range(200):
		var peer = WebRTCPeerConnection.new()
		peers.append([peer, peer.create_data_channel("x")])
		peer.create_offer()
		peer.poll()
	peers.clear()
	yield(frames(2), "completed")
