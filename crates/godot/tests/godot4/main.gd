extends Node
# Runs every test_* function of the scripts in suite/, one after the other, and ends with their count.
# With `-- only=NAME` just those whose name contains NAME.

const SUITES = ["reference", "channels", "lifetimes", "multiplayer", "frames"]

var passed = 0
var failed = 0

func _ready():
	var only = ""
	for argument in OS.get_cmdline_args():
		if argument.begins_with("--only="):
			only = argument.substr(7)
		if argument.begins_with("--peer="):
			var peer = load("res://suite/peer.gd").new()
			add_child(peer)
			peer.run(argument.substr(7))
			return
		if argument.begins_with("--process="):
			var process = load("res://suite/process.gd").new()
			add_child(process)
			process.run(argument.substr(10))
			return
	for suite in SUITES:
		var script = load("res://suite/%s.gd" % suite)
		for method in script.new_names():
			if only != "" and not only in method:
				continue
			var case = script.new()
			add_child(case)
			await case.call(method)
			if case.faults.is_empty():
				passed += 1
				print("ok      %s/%s" % [suite, method])
			else:
				failed += 1
				for fault in case.faults:
					print("FAILED  %s/%s: %s" % [suite, method, fault])
			remove_child(case)
			case.free()
	print("%d passed, %d failed" % [passed, failed])
	get_tree().quit(0 if failed == 0 else 1)
