extends "res://suite/case.gd"
# Every method, signal, enum, default and error code of the reference.

static func new_names():
	return ["test_names", "test_enums", "test_enums_of_godot_4", "test_defaults", "test_initialize", "test_channel_options", "test_offer",
		"test_descriptions", "test_candidates", "test_after_close", "test_order_of_signals", "test_beyond_the_reference"]

func test_names():
	var peer = WebRTCPeerConnection.new()
	for method in ["add_ice_candidate", "close", "create_data_channel", "create_offer", "get_connection_state",
			"initialize", "poll", "set_local_description", "set_remote_description"]:
		check(method, peer.has_method(method))
	for name in ["data_channel_received", "ice_candidate_created", "session_description_created"]:
		check(name, peer.has_signal(name))
	var channel = peer.create_data_channel("x")
	for method in ["poll", "close", "was_string_packet", "set_write_mode", "get_write_mode", "get_ready_state",
			"get_label", "get_protocol", "is_ordered", "is_negotiated", "get_id", "get_max_packet_life_time",
			"get_max_retransmits", "get_packet", "put_packet", "get_packet_error", "get_available_packet_count",
			"get_var", "put_var"]:
		check(method, channel.has_method(method))

func test_enums():
	equal("states", [WebRTCPeerConnection.STATE_NEW, WebRTCPeerConnection.STATE_CONNECTING,
		WebRTCPeerConnection.STATE_CONNECTED, WebRTCPeerConnection.STATE_DISCONNECTED,
		WebRTCPeerConnection.STATE_FAILED, WebRTCPeerConnection.STATE_CLOSED], [0, 1, 2, 3, 4, 5])
	equal("write modes", [WebRTCDataChannel.WRITE_MODE_TEXT, WebRTCDataChannel.WRITE_MODE_BINARY], [0, 1])

func test_enums_of_godot_4():
	equal("gathering", [WebRTCPeerConnection.GATHERING_STATE_NEW, WebRTCPeerConnection.GATHERING_STATE_GATHERING,
		WebRTCPeerConnection.GATHERING_STATE_COMPLETE], [0, 1, 2])
	equal("signaling", [WebRTCPeerConnection.SIGNALING_STATE_STABLE, WebRTCPeerConnection.SIGNALING_STATE_CLOSED], [0, 5])
	var c = couple()
	equal("gathering at first", c.a.get_gathering_state(), WebRTCPeerConnection.GATHERING_STATE_NEW)
	equal("signaling at first", c.a.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_STABLE)
	var channel = c.a.create_data_channel("x")
	c.a.create_offer()
	await until("open", channel, "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	equal("gathering at last", c.a.get_gathering_state(), WebRTCPeerConnection.GATHERING_STATE_COMPLETE)
	equal("signaling at last", c.a.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_STABLE)
	c.a.close()
	equal("signaling closed", c.a.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_CLOSED)

func test_defaults():
	var peer = WebRTCPeerConnection.new()
	equal("state", peer.get_connection_state(), WebRTCPeerConnection.STATE_NEW)
	equal("poll", peer.poll(), OK)
	var channel = peer.create_data_channel("x")
	equal("write mode", channel.write_mode, WebRTCDataChannel.WRITE_MODE_BINARY)
	equal("ready state", channel.get_ready_state(), WebRTCDataChannel.STATE_CONNECTING)
	equal("label", channel.get_label(), "x")
	equal("protocol", channel.get_protocol(), "")
	equal("ordered", channel.is_ordered(), true)
	equal("negotiated", channel.is_negotiated(), false)
	equal("id", channel.get_id(), 65535)
	equal("life time", channel.get_max_packet_life_time(), 65535)
	equal("retransmits", channel.get_max_retransmits(), 65535)
	equal("string packet", channel.was_string_packet(), false)
	equal("packets", channel.get_available_packet_count(), 0)
	equal("channel poll", channel.poll(), OK)

func test_initialize():
	var peer = WebRTCPeerConnection.new()
	equal("nothing", peer.initialize(), OK)
	equal("no servers", peer.initialize({"iceServers": []}), OK)
	equal("one url", peer.initialize({"iceServers": [{"urls": "stun:192.0.2.1:3478"}]}), OK)
	equal("urls", peer.initialize({"iceServers": [{"urls": ["stun:192.0.2.1:3478"],
		"username": "u", "credential": "c"}]}), OK)
	equal("no dictionary", peer.initialize({"iceServers": [7]}), ERR_INVALID_PARAMETER)
	equal("no urls", peer.initialize({"iceServers": [{}]}), ERR_INVALID_PARAMETER)
	equal("urls of a wrong type", peer.initialize({"iceServers": [{"urls": 7}]}), ERR_INVALID_PARAMETER)
	equal("no scheme", peer.initialize({"iceServers": [{"urls": "stun.example.org"}]}), ERR_INVALID_PARAMETER)
	equal("turn without credential", peer.initialize({"iceServers": [{"urls": "turn:192.0.2.1"}]}), ERR_INVALID_PARAMETER)
	equal("no array", peer.initialize({"iceServers": 7}), OK)
	equal("relays alone", peer.initialize({"iceTransportPolicy": "relay"}), OK)
	equal("all", peer.initialize({"iceTransportPolicy": "all"}), OK)
	equal("unknown policy", peer.initialize({"iceTransportPolicy": "Relay"}), ERR_INVALID_PARAMETER)
	equal("policy of a wrong type", peer.initialize({"iceTransportPolicy": 1}), ERR_INVALID_PARAMETER)
	equal("state", peer.get_connection_state(), WebRTCPeerConnection.STATE_NEW)

func test_channel_options():
	var peer = WebRTCPeerConnection.new()
	equal("negotiated without id", peer.create_data_channel("x", {"negotiated": true}), null)
	equal("id without negotiated", peer.create_data_channel("x", {"id": 1}), null)
	equal("both limits", peer.create_data_channel("x", {"maxRetransmits": 1, "maxPacketLifeTime": 1}), null)
	equal("an option of a wrong type", peer.create_data_channel("x", {"protocol": 1}), null)
	var channel = peer.create_data_channel("x", {"negotiated": true, "id": 1, "maxRetransmits": 3,
		"ordered": false, "protocol": "p"})
	equal("id", channel.get_id(), 1)
	equal("retransmits", channel.get_max_retransmits(), 3)
	equal("ordered", channel.is_ordered(), false)
	equal("negotiated", channel.is_negotiated(), true)
	equal("protocol", channel.get_protocol(), "p")
	equal("a second channel with the id", peer.create_data_channel("y", {"negotiated": true, "id": 1}), null)
	equal("the first lives", channel.get_ready_state(), WebRTCDataChannel.STATE_CONNECTING)
	for key in ["maxPacketLifeTime", "maxPacketLifetime"]:
		equal(key, peer.create_data_channel("z", {key: 40}).get_max_packet_life_time(), 40)

func test_offer():
	var peer = WebRTCPeerConnection.new()
	equal("without a channel", peer.create_offer(), FAILED)
	var channel = peer.create_data_channel("x")
	equal("offer", peer.create_offer(), OK)
	equal("offer twice", peer.create_offer(), FAILED)
	equal("a channel outside NEW", peer.create_data_channel("y"), null)
	equal("state", peer.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTING)
	check("channel", channel != null)

func test_descriptions():
	var peer = WebRTCPeerConnection.new()
	equal("answer without offer", peer.set_remote_description("answer", "v=0"), FAILED)
	equal("rubbish", peer.set_remote_description("offer", "rubbish"), ERR_INVALID_PARAMETER)
	equal("a wrong type", peer.set_remote_description("rubbish", "v=0"), ERR_INVALID_PARAMETER)
	equal("local before any", peer.set_local_description("offer", "v=0"), FAILED)
	equal("state", peer.get_connection_state(), WebRTCPeerConnection.STATE_NEW)

func test_candidates():
	var peer = WebRTCPeerConnection.new()
	equal("rubbish", peer.add_ice_candidate("0", 0, "rubbish"), ERR_INVALID_PARAMETER)
	var name = "candidate:1 1 UDP 2122252543 192.0.2.7 50000 typ host"
	equal("before the description", peer.add_ice_candidate("0", 0, name), OK)
	equal("once more", peer.add_ice_candidate("0", 0, name), OK)

func test_after_close():
	var peer = WebRTCPeerConnection.new()
	var channel = peer.create_data_channel("x")
	peer.close()
	equal("state", peer.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED)
	equal("channel", channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED)
	equal("offer", peer.create_offer(), FAILED)
	equal("poll", peer.poll(), OK)
	equal("another channel", peer.create_data_channel("y"), null)
	equal("initialize", peer.initialize(), OK)
	equal("state again", peer.get_connection_state(), WebRTCPeerConnection.STATE_NEW)

func test_order_of_signals():
	var c = couple()
	var channel = c.a.create_data_channel("x")
	c.a.create_offer()
	equal("nothing before poll", c.told, [])
	await until("open", channel, "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	equal("the offer first", c.told[0], "a offer")
	check("then its candidates", "a candidate" in c.told)
	check("the answer before its candidates", c.told.find("b answer") < c.told.find("b candidate"))
	check("the channel", "b channel" in c.told)

func test_beyond_the_reference():
	var c = couple()
	equal("no pair yet", c.a.get_selected_pair(), null)
	var channel = c.a.create_data_channel("x")
	c.a.create_offer()
	await until("open", channel, "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	var pair = c.a.get_selected_pair()
	equal("type", pair["local"]["type"], "host")
	check("address", pair["remote"]["address"] != "")
	check("bytes", c.a.get_stats()["bytes_sent"] > 0)
	equal("restart", c.a.restart_ice(), OK)
	await until("the new offer is answered", c, "told_count", 2, ["b answer"])
	equal("state", c.a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED)
	equal("no server failed", c.a.get_ice_errors().size(), 0)
