extends "res://suite/case.gd"
# Messages: text, bytes, variants, in every form, over channels of both kinds.

static func new_names():
	return ["test_negotiated", "test_in_band", "test_packets", "test_variants", "test_errors", "test_close",
		"test_large", "test_a_second_after_start"]

func open_pair(options = {"negotiated": true, "id": 1}):
	var c = couple()
	var pair = [c.a.create_data_channel("chat", options), c.b.create_data_channel("chat", options), c]
	c.a.create_offer()
	await until("open", pair[0], "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	await until("open", pair[1], "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	return pair

func test_negotiated():
	var pair = await open_pair()
	equal("state", pair[2].a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED)
	equal("nothing announced", pair[2].received, [])
	pair[0].put_packet("hello".to_utf8_buffer())
	await until("hello", pair[1], "get_available_packet_count", 1)
	equal("packet", pair[1].get_packet().get_string_from_utf8(), "hello")

func test_in_band():
	var c = couple()
	var hers = c.a.create_data_channel("in band", {"protocol": "p", "ordered": false, "maxRetransmits": 2})
	c.a.create_offer()
	await until("open", hers, "get_ready_state", WebRTCDataChannel.STATE_OPEN)
	await until("received", c, "received_count", 1)
	var his = c.received[0]
	equal("label", his.get_label(), "in band")
	equal("protocol", his.get_protocol(), "p")
	equal("ordered", his.is_ordered(), false)
	equal("retransmits", his.get_max_retransmits(), 2)
	equal("negotiated", his.is_negotiated(), false)
	equal("id", his.get_id(), hers.get_id())
	his.put_packet("back".to_utf8_buffer())
	await until("back", hers, "get_available_packet_count", 1)
	equal("packet", hers.get_packet().get_string_from_utf8(), "back")

func test_packets():
	var pair = await open_pair()
	pair[0].write_mode = WebRTCDataChannel.WRITE_MODE_TEXT
	var text = "gr\u00fc\u00dfe".to_utf8_buffer()
	text.append(0)
	text.append_array("after NUL".to_utf8_buffer())
	equal("text", pair[0].put_packet(text), OK)
	pair[0].write_mode = WebRTCDataChannel.WRITE_MODE_BINARY
	equal("bytes", pair[0].put_packet(PackedByteArray([0, 255, 0])), OK)
	equal("empty", pair[0].put_packet(PackedByteArray()), OK) # the engine answers OK and never asks the plug-in
	await until("two packets", pair[1], "get_available_packet_count", 2)
	equal("text", pair[1].get_packet(), text)
	equal("was string", pair[1].was_string_packet(), true)
	equal("bytes", pair[1].get_packet(), PackedByteArray([0, 255, 0]))
	equal("was string", pair[1].was_string_packet(), false)

func test_variants():
	var pair = await open_pair()
	var value = {"position": Vector2(1, 2), "names": ["a", "b"], 7: null}
	equal("put_var", pair[0].put_var(value), OK)
	await until("variant", pair[1], "get_available_packet_count", 1)
	equal("get_var", str(pair[1].get_var()), str(value))

func test_errors():
	var peer = WebRTCPeerConnection.new()
	var early = peer.create_data_channel("x")
	equal("before open", early.put_packet(PackedByteArray([1])), FAILED)
	equal("nothing there", early.get_packet(), PackedByteArray())
	equal("why", early.get_packet_error(), ERR_UNAVAILABLE)
	var pair = await open_pair()
	var huge = PackedByteArray()
	huge.resize(1 << 20)
	equal("over the peer's limit", pair[0].put_packet(huge), FAILED)
	equal("the channel lives", pair[0].get_ready_state(), WebRTCDataChannel.STATE_OPEN)

func test_close():
	var pair = await open_pair()
	pair[0].put_packet("last words".to_utf8_buffer())
	await until("last words", pair[1], "get_available_packet_count", 1)
	pair[0].close()
	equal("after close", pair[0].put_packet(PackedByteArray([1])), FAILED)
	await until("closed", pair[1], "get_ready_state", WebRTCDataChannel.STATE_CLOSED)
	await until("closed", pair[0], "get_ready_state", WebRTCDataChannel.STATE_CLOSED)
	equal("still delivered", pair[1].get_packet().get_string_from_utf8(), "last words")
	equal("the connection lives", pair[2].a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED)

func test_large():
	var pair = await open_pair()
	var large = PackedByteArray()
	large.resize(200000)
	large.set(199999, 9)
	equal("put", pair[0].put_packet(large), OK)
	await until("large packet", pair[1], "get_available_packet_count", 1)
	equal("get", pair[1].get_packet(), large)

# The official minimal demo: nobody waits for the channel, a second must be enough (godot#97055), and a server that
# does not answer delays nothing.
func test_a_second_after_start():
	var c = couple()
	c.a.initialize({"iceServers": [{"urls": ["stun:192.0.2.1:3478"]}]})
	c.b.initialize({"iceServers": [{"urls": ["stun:192.0.2.1:3478"]}]})
	var hers = c.a.create_data_channel("chat", {"id": 1, "negotiated": true})
	var his = c.b.create_data_channel("chat", {"id": 1, "negotiated": true})
	c.a.create_offer()
	await get_tree().create_timer(1).timeout
	equal("put", hers.put_packet("hi".to_utf8_buffer()), OK)
	await until("hi", his, "get_available_packet_count", 1)
