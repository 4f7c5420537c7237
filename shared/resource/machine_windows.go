package resource

import "golang.org/x/sys/windows/registry"

// machineID is what tells this machine from others; "" when nothing does.
func machineID() string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return "" // the directory alone counts
	}
	defer key.Close()
	id, _, _ := key.GetStringValue("MachineGuid")
	return id
}
