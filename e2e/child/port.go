package child

import "net"

// FreeAddress answers a loopback address ("127.0.0.1:port") that nobody listened at a moment ago.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
