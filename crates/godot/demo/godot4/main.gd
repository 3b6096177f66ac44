extends Node
# Two peers in one scene. In a game each runs on its own machine, and the two descriptions and the candidates travel
# over a signalling server.

var alice = WebRTCPeerConnection.new()
var bob = WebRTCPeerConnection.new()
var hers: WebRTCDataChannel
var his: WebRTCDataChannel
var greeted = false

func _ready():
	# Agreed on beforehand: the same id on both sides.
	var options = {"negotiated": true, "id": 1}
	hers = alice.create_data_channel("chat", options)
	his = bob.create_data_channel("chat", options)
	for pair in [[alice, bob], [bob, alice]]:
		pair[0].session_description_created.connect(pair[0].set_local_description)
		pair[0].session_description_created.connect(pair[1].set_remote_description)
		pair[0].ice_candidate_created.connect(pair[1].add_ice_candidate)
	alice.create_offer()

func _process(_delta):
	alice.poll()
	bob.poll()
	if hers.get_ready_state() == WebRTCDataChannel.STATE_OPEN and not greeted:
		greeted = true
		hers.put_packet("Hello from Alice".to_utf8_buffer())
	if his.get_available_packet_count() > 0:
		print("Bob received: ", his.get_packet().get_string_from_utf8())
		print("Data travels over ", alice.get_selected_pair())
		get_tree().quit()
