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
	var start = OS.get_ticks_msec()
	while object.callv(method, arguments) != wanted:
		if OS.get_ticks_msec() - start > 10000:
			faults.append("never came: " + what)
			break
		yield(get_tree(), "idle_frame")
	yield(get_tree(), "idle_frame")

func frames(count):
	for _i in range(count):
		yield(get_tree(), "idle_frame")

class Couple:
	extends Reference
	var a = WebRTCPeerConnection.new()
	var b = WebRTCPeerConnection.new()
	var received = []
	var told = []

	func _init():
		for pair in [[a, b, "a"], [b, a, "b"]]:
			pair[0].connect("session_description_created", self, "_description", [pair[0], pair[1], pair[2]])
			pair[0].connect("ice_candidate_created", self, "_candidate", [pair[1], pair[2]])
			pair[0].connect("data_channel_received", self, "_channel", [pair[2]])

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
			peer.disconnect("session_description_created", self, "_description")
			peer.disconnect("ice_candidate_created", self, "_candidate")

	func told_count(what):
		return told.count(what)

	func received_count():
		return received.size()

	func poll():
		if a != null:
			a.poll()
		if b != null:
			b.poll()
