extends "res://suite/case.gd"
# The engine's own multiplayer on top of us.

static func new_names():
	return ["test_mesh_of_three", "test_server_with_two_clients"]

class Player:
	extends RefCounted
	var id
	var multiplayer = WebRTCMultiplayerPeer.new()
	var connected = []
	var disconnected = []
	func _init(own_id, server):
		id = own_id
		if not server:
			multiplayer.create_mesh(id)
		elif id == 1:
			multiplayer.create_server()
		else:
			multiplayer.create_client(id)
		multiplayer.peer_connected.connect(self._connected)
		multiplayer.peer_disconnected.connect(self._disconnected)

	func _connected(other):
		connected.append(other)

	func _disconnected(other):
		disconnected.append(other)

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
		pair[0].session_description_created.connect(self._description.bind(pair[0], pair[1]))
		pair[0].ice_candidate_created.connect(pair[1].add_ice_candidate)
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
		for told_by in [peer.session_description_created, peer.ice_candidate_created]:
			for connection in told_by.get_connections():
				told_by.disconnect(connection["callable"])

func channels_are_what_they_say(of, id):
	var channels = of.get_peer(id)["channels"]
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
		await until("all connected", player, "met", true, [2])
	channels_are_what_they_say(players[0].multiplayer, 2)
	for mode in [MultiplayerPeer.TRANSFER_MODE_UNRELIABLE,
			MultiplayerPeer.TRANSFER_MODE_UNRELIABLE_ORDERED, MultiplayerPeer.TRANSFER_MODE_RELIABLE]:
		players[0].multiplayer.transfer_mode = mode
		players[0].multiplayer.set_target_peer(2)
		equal("put", players[0].multiplayer.put_packet(PackedByteArray([mode, 7])), OK)
		await until("packet", players[1], "packets", 1)
		equal("from", players[1].multiplayer.get_packet_peer(), 1)
		equal("packet", players[1].multiplayer.get_packet(), PackedByteArray([mode, 7]))
	# A player who leaves is missed at once.
	players[2].multiplayer.close()
	for id in [1, 2]:
		if players[2].multiplayer.has_peer(id):
			players[2].multiplayer.remove_peer(id)
	part(links[1])
	part(links[2])
	links.resize(1)
	await until("left", players[0], "missed", 1)
	equal("who", players[0].disconnected, [3])
	players = []
	links = []

func test_server_with_two_clients():
	players = [Player.new(1, true), Player.new(2, true), Player.new(3, true)]
	join(players[0], players[1])
	join(players[0], players[2])
	await until("server", players[0], "met", true, [2])
	for client in [players[1], players[2]]:
		await until("client", client, "met", true, [1])
		equal("status", client.multiplayer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTED)
	players[1].multiplayer.transfer_mode = MultiplayerPeer.TRANSFER_MODE_RELIABLE
	players[1].multiplayer.set_target_peer(1)
	for i in range(100):
		players[1].multiplayer.put_packet(PackedByteArray([i]))
	await until("a hundred packets", players[0], "packets", 100)
	for i in range(100):
		equal("in order", players[0].multiplayer.get_packet()[0], i)
	players = []
	links = []
