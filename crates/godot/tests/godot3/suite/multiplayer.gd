extends "res://suite/case.gd"
# The engine's own multiplayer on top of us.

static func new_names():
	return ["test_mesh_of_three", "test_server_with_two_clients"]

class Player:
	extends Reference
	var id
	var multiplayer = WebRTCMultiplayer.new()
	var connected = []
	var disconnected = []
	var succeeded = 0

	func _init(own_id, server):
		id = own_id
		multiplayer.initialize(id, server)
		multiplayer.connect("peer_connected", self, "_connected")
		multiplayer.connect("peer_disconnected", self, "_disconnected")
		multiplayer.connect("connection_succeeded", self, "_succeeded")

	func _connected(other):
		connected.append(other)

	func _disconnected(other):
		disconnected.append(other)

	func _succeeded():
		succeeded += 1

	func met(count):
		return connected.size() == count

	func missed():
		return disconnected.size()

	func packets():
		return multiplayer.get_available_packet_count()

var players = []
var links = []

func _process(_delta):
	for player in players:
		player.multiplayer.poll()

func join(a, b):
	var pa = WebRTCPeerConnection.new()
	var pb = WebRTCPeerConnection.new()
	for pair in [[pa, pb], [pb, pa]]:
		pair[0].connect("session_description_created", self, "_description", [pair[0], pair[1]])
		pair[0].connect("ice_candidate_created", pair[1], "add_ice_candidate")
	links.append([pa, pb])
	equal("add_peer", a.multiplayer.add_peer(pa, b.id), OK)
	equal("add_peer", b.multiplayer.add_peer(pb, a.id), OK)
	equal("offer", pa.create_offer(), OK)

func _description(type, sdp, from, to):
	from.set_local_description(type, sdp)
	to.set_remote_description(type, sdp)

# A connected signal keeps its arguments, and so the peers themselves.
func part(link):
	for peer in link:
		peer.disconnect("session_description_created", self, "_description")
	link[0].disconnect("ice_candidate_created", link[1], "add_ice_candidate")
	link[1].disconnect("ice_candidate_created", link[0], "add_ice_candidate")

func channels_are_what_they_say(multiplayer, id):
	var channels = multiplayer.get_peer(id)["channels"]
	equal("three channels", channels.size(), 3)
	var seen = []
	for channel in channels:
		seen.append([channel.get_label(), channel.get_id(), channel.is_ordered(), channel.get_max_packet_life_time()])
	equal("reliable", seen[0], ["reliable", 1, true, 65535])
	equal("ordered", seen[1], ["ordered", 2, true, 1])
	equal("unreliable", seen[2], ["unreliable", 3, false, 1])

func test_mesh_of_three():
	players = [Player.new(1, false), Player.new(2, false), Player.new(3, false)]
	join(players[0], players[1])
	join(players[1], players[2])
	join(players[2], players[0])
	for player in players:
		yield(until("all connected", player, "met", true, [2]), "completed")
	channels_are_what_they_say(players[0].multiplayer, 2)
	for mode in [NetworkedMultiplayerPeer.TRANSFER_MODE_UNRELIABLE,
			NetworkedMultiplayerPeer.TRANSFER_MODE_UNRELIABLE_ORDERED, NetworkedMultiplayerPeer.TRANSFER_MODE_RELIABLE]:
		players[0].multiplayer.transfer_mode = mode
		players[0].multiplayer.set_target_peer(2)
		equal("put", players[0].multiplayer.put_packet(PoolByteArray([mode, 7])), OK)
		yield(until("packet", players[1], "packets", 1), "completed")
		equal("from", players[1].multiplayer.get_packet_peer(), 1)
		equal("packet", players[1].multiplayer.get_packet(), PoolByteArray([mode, 7]))
	# A player who leaves is missed at once.
	players[2].multiplayer.close()
	part(links[1])
	part(links[2])
	links.resize(1)
	yield(until("left", players[0], "missed", 1), "completed")
	equal("who", players[0].disconnected, [3])
	players = []
	links = []

func test_server_with_two_clients():
	players = [Player.new(1, true), Player.new(2, true), Player.new(3, true)]
	join(players[0], players[1])
	join(players[0], players[2])
	yield(until("server", players[0], "met", true, [2]), "completed")
	for client in [players[1], players[2]]:
		yield(until("client", client, "met", true, [1]), "completed")
		equal("succeeded", client.succeeded, 1)
	players[1].multiplayer.transfer_mode = NetworkedMultiplayerPeer.TRANSFER_MODE_RELIABLE
	players[1].multiplayer.set_target_peer(1)
	for i in range(100):
		players[1].multiplayer.put_packet(PoolByteArray([i]))
	yield(until("a hundred packets", players[0], "packets", 100), "completed")
	for i in range(100):
		equal("in order", players[0].multiplayer.get_packet()[0], i)
	players = []
	links = []
