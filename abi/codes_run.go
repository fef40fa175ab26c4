package abi

// runCodes are the codes of the area RUN: how runs end, and why they don't begin.
var runCodes = []CodeInfo{
	{"F1-RUN-010", "what the run was given does not fit together", "The mounts, arguments or environment of the run contradict each other or are malformed: a mount point that is not an absolute clean path, or two mounts in one place. The message names the one.", 2},
	{"F1-RUN-011", "the package's assets can't be mounted", "A name among the assets is not a clean relative path, or is both a file and a folder. Pack the package again from a folder.", 1},
	{"F1-RUN-120", "the guest trapped", "The guest did what WebAssembly forbids: it reached unreachable code, divided by zero, left its memory or a table, or called through a pointer of a wrong type. That is a fault in the guest; the kernel is untouched. `forgeone trace` shows the calls that led there, `forgeone replay` repeats it.", 120},
	{"F1-RUN-121", "the guest used up its fuel", "The run was given --fuel N and has computed that much. It stopped at its next tick. Give more if the work was legitimate.", 121},
	{"F1-RUN-122", "the deadline passed", "The run was given --deadline D and was still going. It stopped at its next tick, or in the call that blocked. Give more time if the work was legitimate.", 122},
	{"F1-RUN-123", "the module needs more memory than the run is given", "The module's initial memory is above the limit, so it was not started. Raise it with --memory MiB, or in the configuration. A guest that asks for more while it runs is refused instead, as WebAssembly provides.", 123},
	{"F1-RUN-124", "the run wrote too much", "Standard output and error together passed the limit `output` of the configuration. The write that would have passed it did not happen.", 123},
	{"F1-RUN-125", "the recording is full", "The run's recording reached its limit, or the disk did, and what can't be recorded doesn't happen: the run was ended before its next call. Raise `recording` in the configuration or make room (df -h).", 123},
	{"F1-RUN-126", "calls nested too deep", "The guest's functions called each other deeper than the configuration's `depth` allows, usually an endless recursion.", 120},
	{"F1-RUN-127", "nothing of that name", "There is no such file, and no installed package has this name. `forgeone list` shows what is installed.", 127},
	{"F1-RUN-128", "neither a package nor a module", "The file can't be read or is neither a .forgepkg nor a WebAssembly module.", 126},
	{"F1-RUN-129", "bare modules are refused here", "The configuration says `bare_modules: refuse`: only packages signed by a key of the keyring run on this node. Pack and sign the module.", 126},
	{"F1-RUN-130", "no such run", "No run of the log has this id, or several begin with it. `forgeone runs` lists them; `last` is the newest.", 1},
	{"F1-RUN-137", "the run was stopped", "An operator (`forgeone stop`) or a signal ended the run, or its package, its module or a key that signed it was revoked or removed: a run.stop record in the log says why. It stopped at its next call or tick, or in the call that blocked; its evidence is complete.", 137},
	{"F1-RUN-138", "the workload is compromised", "Trust in the workload fell below 10. It does not start again until an operator has released it.", 137},
	{"F1-RUN-139", "the run's process died", "The process that ran the guest ended without recording the run's end. The next to open the log closed the run as aborted; its recording may be cut short.", 125},
	{"F1-RUN-140", "the evidence log failed", "The log could not be written while the guest ran, and what can't be recorded doesn't happen: the run was ended. `forgeone doctor` tells more.", 125},
	{"F1-RUN-141", "the kernel failed", "A fault of ForgeOne, not of the guest. The run was ended and recorded as failed. Please report it with the message above it.", 125},
	{"F1-RUN-150", "the kernel graph does not boot", "A module of the kernel needs one that is not there, or modules need each other in a circle. `forgeone graph` shows the graph.", 125},
	{"F1-RUN-151", "the self-test of the gate failed", "At boot the base policy must permit reading a clock and deny a socket; it did not. Nothing runs.", 125},
	{"F1-RUN-152", "the run has ended already", "An order to stop was given to a run that is not running. How it ended stands in `forgeone runs`.", 1},
	{"F1-RUN-153", "the reason is too long", "The words that say why a run is to stop stand in the log for good and are at most 256 bytes.", 2},
	{"F1-RUN-154", "the run was told to stop and has not ended yet", "The order is in the log and the run obeys at its next call or tick; one that waits for a slow disk takes longer. `forgeone runs` shows when it has ended.", 3},
}
