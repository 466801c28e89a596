# Reads what differs from call to call, so that no answer can be remembered.
package house

seen if input.source_address
