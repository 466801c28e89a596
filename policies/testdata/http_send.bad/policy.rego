package sluice

decision := {"allow": answer.status_code == 200} if {
	answer := http.send({"method": "GET", "url": "https://example.com"})
}
