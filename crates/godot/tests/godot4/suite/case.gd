extends Node
# What every test has: checks, a pair of peers with lossless signalling, waiting with a limit.

var faults = []
var couples = []

func check(what, condition):
	if not condition:
		faults.append(what)

func equal(what, got, wanted):
	if wanted == null:
		check("%s: got %s, wanted null" % [what, got], got == null)
	elif typeof(got) != typeof(wanted) or got != wanted:
		faults.append("%s: got %s, wanted %s" % [what, got, wanted])

# Polls all couples each frame.
func _process(_delta):
	for couple in couples:
		couple.poll()

func couple():
	var made = Couple.new()
	couples.append(made)
	return made

# Waits until object.method(arguments) gives `wanted`, at most 10 seconds.
func until(what, object, method, wanted, arguments = []):
	var start = Time.get_ticks_msec()
	while object.callv(method, arguments) != wanted:
		if Time.get_ticks_msec() - start > 10000:
			faults.append("never came: " + what)
			break
		await get_tree().process_frame
	await get_tree().process_frame

func frames(count):
	for _i in range(count):
		await get_tree().process_frame

class Couple:
	extends RefCounted
	var a = WebRTCPeerConnection.new()
	var b = WebRTCPeerConnection.new()
	var received = []
	var told = []

	func _init():
		for pair in [[a, b, "a"], [b, a, "b"]]:
			pair[0].session_description_created.connect(self._description.bind(pair[0], pair[1], pair[2]))
			pair[0].ice_candidate_created.connect(self._candidate.bind(pair[1], pair[2]))
			pair[0].data_channel_received.connect(self._channel.bind(pair[2]))

	func _description(type, sdp, from, to, who):
		told.append(who + " " + type)
		from.set_local_description(type, sdp)
		to.set_remote_description(type, sdp)

	func _candidate(media, index, name, to, who):
		told.append(who + " candidate")
		if media != "" and name.begins_with("candidate:"):
			to.add_ice_candidate(media, index, name)

	func _channel(channel, who):
		told.append(who + " channel")
		received.append(channel)

	# A connected signal keeps its arguments, the other peer among them.
	func forget():
		for peer in [a, b]:
			for told_by in [peer.session_description_created, peer.ice_candidate_created, peer.data_channel_received]:
				for connection in told_by.get_connections():
					told_by.disconnect(connection["callable"])

	func told_count(what):
		return told.count(what)

	func received_count():
		return received.size()

	func poll():
		if a != null:
			a.poll()
		if b != null:
			b.poll()
