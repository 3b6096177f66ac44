extends "res://suite/case.gd"
# Objects that end at bad moments.

static func new_names():
	return ["test_drop_of_a_channel", "test_drop_of_a_received_channel", "test_drop_of_a_peer",
		"test_drop_of_a_peer_in_its_own_signal", "test_close_in_its_own_signal", "test_initialize_again",
		"test_a_channel_of_nothing", "test_many_at_once"]

func open_pair():
	var c = couple()
	var options = {"negotiated": true, "id": 1}
	var pair = [c.a.create_data_channel("chat", options), c.b.create_data_channel("chat", options), c]
	c.a.create_offer()
	await until("open", pair[0], "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	await until("open", pair[1], "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	return pair

func test_drop_of_a_channel():
	var pair = await open_pair()
	var his = pair[1]
	pair[0] = null
	await until("closed", his, "get_ready_state", WebRTCDataChannel.STATE_CLOSED)
	equal("the connection lives", pair[2].b.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED)

func test_drop_of_a_received_channel():
	var c = couple()
	c.b.data_channel_received.disconnect(c.b.data_channel_received.get_connections()[0]["callable"])
	c.b.data_channel_received.connect(self._refuse)
	var hers = c.a.create_data_channel("refused")
	c.a.create_offer()
	await until("closed", hers, "get_ready_state", WebRTCDataChannel.STATE_CLOSED)

func _refuse(_channel):
	pass

func test_drop_of_a_peer():
	var pair = await open_pair()
	pair[2].forget()
	pair[2].a = null
	await until("closed", pair[1], "get_ready_state", WebRTCDataChannel.STATE_CLOSED)
	equal("our channel", pair[0].get_ready_state(), WebRTCDataChannel.STATE_CLOSED)

var dropped = 0
var held = null

func test_drop_of_a_peer_in_its_own_signal():
	held = WebRTCPeerConnection.new()
	held.session_description_created.connect(self._drop)
	var channel = held.create_data_channel("x")
	held.create_offer()
	held.poll()
	equal("told once", dropped, 1)
	equal("gone", held, null)
	await frames(3)
	equal("its channel", channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED)

func _drop(_type, _sdp):
	dropped += 1
	held = null

func test_close_in_its_own_signal():
	var peer = WebRTCPeerConnection.new()
	peer.session_description_created.connect(self._close.bind(peer))
	var channel = peer.create_data_channel("x")
	peer.create_offer()
	peer.poll()
	equal("state", peer.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED)
	check("channel", channel != null)
	peer.session_description_created.disconnect(peer.session_description_created.get_connections()[0]["callable"])

func _close(_type, _sdp, peer):
	peer.close()

func test_initialize_again():
	var pair = await open_pair()
	equal("initialize", pair[2].a.initialize(), OK)
	equal("state", pair[2].a.get_connection_state(), WebRTCPeerConnection.STATE_NEW)
	equal("old channel", pair[0].get_ready_state(), WebRTCDataChannel.STATE_CLOSED)
	await until("the far end hears of it", pair[1], "get_ready_state", WebRTCDataChannel.STATE_CLOSED)
	pair[2].b.initialize()
	var options = {"negotiated": true, "id": 2}
	var hers = pair[2].a.create_data_channel("again", options)
	var his = pair[2].b.create_data_channel("again", options)
	equal("offer", pair[2].a.create_offer(), OK)
	await until("open", hers, "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	await until("open", his, "get_ready_state", WebRTCDataChannel.STATE_OPEN)

func test_a_channel_of_nothing():
	var channel = ClassDB.instantiate("WeftDataChannel")
	equal("state", channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED)
	equal("put", channel.put_packet(PackedByteArray([1])), ERR_UNCONFIGURED)
	equal("label", channel.get_label(), "")

func test_many_at_once():
	var peers = []
	for _i in range(200):
		var peer = WebRTCPeerConnection.new()
		peers.append([peer, peer.create_data_channel("x")])
		peer.create_offer()
		peer.poll()
	peers.clear()
	await frames(2)
