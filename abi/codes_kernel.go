package abi

// kernelCodes are the codes of several areas that the kernel itself gives: what
// only shows when rooms work together.
var kernelCodes = []CodeInfo{
	{"F1-CFG-050", "there is no state folder", "This node has not been set up, or --home or FORGEONE_HOME names another place. `forgeone init` makes a state folder, `forgeone quickstart` makes one and shows a run.", 3},
	{"F1-CFG-051", "the state folder can't be used", "The folder can't be made or read, or is not a folder. The message says why.", 3},
	{"F1-CFG-052", "others may write to the state folder", "Whoever may write to the folder could put another log or other keys in place. Take the permission away.", 3},
	{"F1-CFG-053", "the configuration is not the one in force", "The file is rightly signed, but the log names another configuration: an old one was put back. Put one in force with `forgeone init --config FILE`.", 3},
	{"F1-CFG-054", "others may read secrets", "Keys and recordings are for the node's own user. Take the permission away as the hint shows.", 1},
	{"F1-KEY-050", "the key is in the keyring already", "The same public key was added before, under the name shown. One key has one name and one role.", 1},
	{"F1-KEY-051", "the name is taken", "Another key has this name in the keyring. Give --name, or remove the other.", 1},
	{"F1-KEY-052", "no such key", "The keyring has no key of that name or id. `forgeone key list` shows it.", 1},
	{"F1-KEY-053", "the node's own key stays", "The node key signs the log and the configuration. It can't be taken out of the keyring.", 1},
	{"F1-PKG-054", "not installed", "No installed package has this name. `forgeone list` shows what is installed.", 1},
	{"F1-PKG-050", "a signer was removed", "While the package was being verified, a key that signed it was removed from the keyring. It is no longer trusted.", 1},
	{"F1-PKG-051", "a newer version was installed", "While the package was being verified, one with a higher serial was installed. Versions don't go back.", 1},
	{"F1-PKG-052", "the package changed while it was read", "The file's content was not the same when it was copied as when it was verified. Nothing was installed.", 1},
	{"F1-PKG-053", "the package was replaced meanwhile", "Between loading the package and starting the run, another version was installed or it was removed. Run it again.", 1},
	{"F1-LOG-050", "the log is older than its recordings", "The state folder holds a sealed recording of a run that the log does not know. Somebody put an older log back, or cut records off. A log alone can't show that; what was kept elsewhere can.", 1},
	{"F1-MOD-100", "the module does not validate", "The engine's validation refused the module: its code is not well-typed. Rebuild it.", 1},
	{"F1-MOD-101", "the module is no command", "A module that runs must export a function _start without parameters and results. Libraries and reactors do not.", 1},
	{"F1-MOD-103", "the module is too large", "The file is larger than the configuration's admission limit for modules.", 1},
	{"F1-POL-050", "the policy of the run is not here", "The state folder does not hold the policy text that the run's recording names, so its decisions can't be explained.", 3},
	{"F1-POL-051", "the kept policy is damaged", "The policy file is not the text its name stands for. Restore it from a copy.", 1},
	{"F1-RPL-020", "the run replays on another architecture", "The module computes with floats, whose NaN bits differ between processors, so a replay would prove nothing here.", 1},
	{"F1-RPL-021", "the module of the run is not here", "A replay needs the rewritten module that ran, which the state folder keeps in modules/. It is gone.", 3},
	{"F1-RPL-022", "the module is not the one that ran", "The file in modules/ has another digest than the recording names: it was changed or is damaged.", 1},
	{"F1-RPL-023", "no such call", "The run made fewer calls. `forgeone trace RUN` shows them with their indexes.", 1},
}
