package abi

// CodeSystemFiles is the code of ReasonSystem.
const CodeSystemFiles Code = "F1-FIL-011"

// fileCodes are the codes of the area FIL.
var fileCodes = []CodeInfo{
	{
		Code: "F1-FIL-001", Title: "A folder to mount does not exist", Exit: 2,
		Text: "A run was to be given a host folder, and nothing exists under its name, or a symbolic link on the way leads nowhere. " +
			"Check the spelling and the folder you are in, or make the folder.",
	},
	{
		Code: "F1-FIL-002", Title: "What was to be mounted is not a folder", Exit: 2,
		Text: "Only folders can be mounted. To give a run a single file, put it in a folder of its own and mount that, read-only if the run has only to read it.",
	},
	{
		Code: "F1-FIL-003", Title: "A folder to mount can't be opened", Exit: 3,
		Text: "The folder exists, but the operating system did not let this process reach it: permissions on the way to it, too many open files, or a failing device. " +
			"The cause stands behind the message.",
	},
	{
		Code: "F1-FIL-004", Title: "Host folders and randomness need Linux", Exit: 3,
		Text: "A guest is kept inside its folders by means that only Linux has here, and guests' random bytes come from the Linux kernel. " +
			"On other systems nothing weaker is put in their place. Packages can be built and logs verified on any system; run guests on Linux.",
	},
	{
		Code: "F1-FIL-005", Title: "The kernel gives no random bytes", Exit: 3,
		Text: "The system call getrandom failed. A filter on system calls around this process may forbid it; allow getrandom there. " +
			"Without it a guest's request for randomness is not answered with anything weaker.",
	},
	{
		Code: "F1-FIL-010", Title: "The kernel's own files can't be mounted", Exit: 2,
		Text: "The folder lies on a file system that shows the kernel, devices or processes: procfs, sysfs, cgroups, debugfs and their like. Its files are no files: " +
			"one of them is the environment of the process that runs the guest, with its keys, another is its memory. None of them is ever granted. " +
			"Copy what the guest needs to know into a folder of its own and mount that.",
	},
	{
		Code: CodeSystemFiles, Title: "The kernel's own files are out of reach", Exit: 1,
		Text: "A folder that was granted has one of the kernel's own file systems mounted inside, such as /proc or /sys, or the state folder of ForgeOne lies in it, and the guest named something there. " +
			"Grants never reach into those, whatever policy says: what looks like a file there is the memory or the environment of a process, or a private key. " +
			"Copy what the guest needs into a folder of its own and grant that.",
	},
	{
		Code: "F1-FIL-012", Title: "The state folder can't be mounted", Exit: 2,
		Text: "The folder is the state folder of ForgeOne or lies in it: there are the node's private keys, its log and the recordings of all runs. No guest is ever given those, read-only or not. " +
			"What a guest should know of a run, write with a command into a folder of its own and mount that: forgeone trace RUN -o json > in/trace.json. " +
			"A folder above the state folder can be mounted; the state folder is out of reach in it.",
	},
}
