extends "res://suite/case.gd"
# The time that poll() takes out of a frame, in the engine.

const FRAMES = 300
# Where the machine is too slow for the figure, so many times what the engine's own UDP sockets take for the same datagrams.
const TIMES_UDP = 3

static func new_names():
	return ["test_thirty_two_peers"]

func test_thirty_two_peers():
	var pairs = []
	var options = {"negotiated": true, "id": 1, "ordered": false, "maxRetransmits": 0}
	for _i in range(32):
		var c = couple()
		pairs.append([c.a.create_data_channel("x", options), c.b.create_data_channel("x", options)])
		c.a.create_offer()
	for pair in pairs:
		yield(until("open", pair[0], "get_ready_state", WebRTCDataChannel.STATE_OPEN), "completed")
		yield(until("open", pair[1], "get_ready_state", WebRTCDataChannel.STATE_OPEN), "completed")
	var mine = couples
	couples = [] # polled here, with a clock
	var bare = sockets(pairs.size())
	var least = 1000000
	var least_udp = 1000000
	# What disturbs the processor only ever adds: the least of some runs is the cost.
	for _run in range(8):
		var result = yield(play(mine, pairs, bare), "completed")
		check("messages arrive: %d" % result["received"], result["received"] > FRAMES * 64 * 0.9)
		var clock = result["clock"]
		var ours = result["ours"]
		var udp = result["udp"]
		print("        poll() of 32 peers, a frame: median %d us, p99 %d us by the clock; p99 %d us of the %d frames that no other program cut short; UDP alone: median %d us, p99 %d us" % [
			clock[clock.size() / 2], clock[clock.size() * 99 / 100], ours[ours.size() * 99 / 100], ours.size(),
			udp[udp.size() / 2], udp[udp.size() * 99 / 100]])
		least = min(least, ours[ours.size() * 99 / 100])
		least_udp = min(least_udp, udp[udp.size() * 99 / 100])
		if least < 1000:
			break
	var most = max(1000, TIMES_UDP * least_udp)
	check("below a millisecond at p99, or %d times UDP alone: %d us, UDP %d us" % [TIMES_UDP, least, least_udp], least < most)
	couples = mine

# Pairs of the engine's own sockets.
func sockets(count):
	var all = []
	var port = 42000
	while all.size() < count:
		var pair = [PacketPeerUDP.new(), PacketPeerUDP.new()]
		var ports = []
		for socket in pair:
			while port < 65536 and socket.listen(port, "127.0.0.1") != OK:
				port += 1
			ports.append(port)
			port += 1
		pair[0].set_dest_address("127.0.0.1", ports[1])
		pair[1].set_dest_address("127.0.0.1", ports[0])
		all.append(pair)
	return all

# The time of each frame's polls: by the clock, and of those frames in which no other program got the processor. And what
# UDP alone takes for as many datagrams, one to read and one to send for each peer.
func play(mine, pairs, bare):
	var message = PoolByteArray()
	message.resize(60)
	var clock = []
	var ours = []
	var udp = []
	var received = 0
	for _frame in range(FRAMES):
		for pair in pairs:
			pair[0].put_packet(message)
			pair[1].put_packet(message)
		var before = interruptions()
		var start = OS.get_ticks_usec()
		for c in mine:
			c.a.poll()
		var took = OS.get_ticks_usec() - start
		clock.append(took)
		if interruptions() == before:
			ours.append(took)
		for c in mine:
			c.b.poll()
		for pair in pairs:
			for channel in pair:
				while channel.get_available_packet_count() > 0:
					channel.get_packet()
					received += 1
		for pair in bare:
			pair[1].put_packet(message)
		before = interruptions()
		start = OS.get_ticks_usec()
		for pair in bare:
			if pair[0].get_available_packet_count() > 0:
				pair[0].get_packet()
			pair[0].put_packet(message)
		took = OS.get_ticks_usec() - start
		if interruptions() == before:
			udp.append(took)
		for pair in bare:
			while pair[1].get_available_packet_count() > 0:
				pair[1].get_packet()
		yield(get_tree(), "idle_frame")
	clock.sort()
	ours.sort()
	udp.sort()
	if ours.size() < FRAMES / 2:
		ours = clock
	return {"clock": clock, "ours": ours, "udp": udp, "received": received}

# How often the system took the processor away from this thread.
func interruptions():
	var text = ""
	var file = File.new()
	if file.open("/proc/self/status", File.READ) != OK:
		return text
	while not file.eof_reached() and not text.begins_with("nonvoluntary"):
		text = file.get_line()
	file.close()
	return text
