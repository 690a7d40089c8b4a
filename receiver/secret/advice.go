package secret

// advice returns what a sender's author is told about a finding.
func advice(code string) string {
	for _, list := range [][][2]string{bodyAdvice(), keyAdvice(), headAdvice(), sharedAdvice()} {
		for _, each := range list {
			if each[0] == code {
				return each[1]
			}
		}
	}
	return code
}

const sameBytes = " Serialise once, sign those bytes and send the same bytes."

func bodyAdvice() [][2]string {
	return [][2]string{
		{"body_cut", "The body was not read whole, so its signature cannot be checked. Send the whole body, within the limit."},
		{"body_decoded", "The body was signed before it was compressed. Sign the bytes that are sent, with their Content-Encoding applied."},
		{"body_newline", "The signed body and the sent one differ in a line break at the end. Sign exactly the bytes that are sent."},
		{"body_lf", "The body was signed with LF line ends and sent with CRLF. Sign exactly the bytes that are sent; send text unchanged."},
		{"body_crlf", "The body was signed with CRLF line ends and sent with LF. Sign exactly the bytes that are sent; send text unchanged."},
		{"body_bom", "A byte order mark was put before the body after it was signed. Send the body without it."},
		{"body_compact", "JSON without white space was signed and another text of the same value sent." + sameBytes},
		{"body_spaced", "JSON with a space after each : and , was signed, as Python's json.dumps writes it, and another text sent." + sameBytes},
		{"body_indented", "Indented JSON was signed and another text of the same value sent." + sameBytes},
		{"body_sorted", "JSON with sorted keys was signed and sent in another order." + sameBytes},
		{"body_ascii", `JSON with \u escapes for everything outside ASCII was signed, and other escapes sent.` + sameBytes},
		{"body_unescaped", `JSON with its characters as they are was signed, and with \u escapes sent.` + sameBytes},
		{"body_html_escaped", `JSON with <, > and & as \u escapes was signed, as Go's encoding/json writes it, and another text sent.` + sameBytes},
		{"body_slashes", `JSON with / as \/ and \u escapes was signed, as PHP's json_encode writes it, and another text sent.` + sameBytes},
		{"body_quoted", "The body was serialised a second time, as one JSON string, for signing. Sign the text itself."},
		{"body_empty", "An empty body was signed. Sign after the body has been set, and read it whole first if it is a stream."},
	}
}

func keyAdvice() [][2]string {
	return [][2]string{
		{"previous_secret", "The previous secret was used. It is still valid; change the sender to the current one before it is retired."},
		{"other_secret", "Another secret that this server knows was used. Give the sender the one that the request is checked with."},
		{"secret_white_space", "White space at the ends of the secret differs. Trim the secret when reading it from a file or a variable."},
		{"secret_quoted", "Quotes around the secret became part of it. Remove them where the secret is configured."},
		{"secret_not_decoded", "The secret's text was used as the key. Take whsec_ off and decode the rest from base64 first."},
		{"secret_decoded", "The secret was decoded before it was used as the key. This scheme uses its text as it stands."},
		{"secret_prefix_added", "The secret was used with whsec_ before it. Use it as it stands."},
		{"secret_case", "The letters of the secret were changed to one case. Use it as it stands."},
		{"secret_unset", "The sender had no secret: its variable is empty or not set. Check its name and that the process gets it."},
		{"hash_sha1", "The signature is an HMAC of SHA-1. Use the hash that this scheme wants."},
		{"hash_sha256", "The signature is an HMAC of SHA-256. Use the hash that this scheme wants."},
		{"hash_sha512", "The signature is an HMAC of SHA-512. Use the hash that this scheme wants."},
		{"hash_of_key_and_body", "The secret and the message were joined and hashed. Use HMAC with the secret as its key."},
		{"hash_of_body_and_key", "The message and the secret were joined and hashed. Use HMAC with the secret as its key."},
		{"hash_without_key", "The message was hashed without the secret, which proves nothing. Use HMAC with the secret as its key."},
	}
}

func headAdvice() [][2]string {
	return [][2]string{
		{"signed_without_body", "The body was not signed. Sign the string that this scheme defines."},
		{"signed_with_target", "The method or the URL was signed too. Sign the string that this scheme defines."},
		{"signed_without_id", "The message id was left out of the signed string. Put it first, with a dot after it."},
		{"signed_without_timestamp", "The timestamp was left out of the signed string. Sign it with the body, as this scheme defines."},
		{"signed_with_timestamp", "A timestamp was signed with the body. This scheme signs the body alone."},
		{"signed_other_layout", "The parts of the signed string were joined in another way. Join them as this scheme defines."},
		{"signed_seconds", "Seconds were signed and another unit sent. Send the very timestamp that was signed."},
		{"other_scheme", "The request proves itself with the right secret by another scheme. Change the scheme of the sender or of the endpoint."},
		{"signature_missing", "There is no signature. Send it in the header that this scheme names."},
		{"signature_under_other_name", "The signature stands in another header. Send it in the header that this scheme names."},
		{"signature_repeated", "The signature's header is there more than once, and receivers differ in which they take. Send it once."},
		{"signature_malformed", "The signature's header holds no digest that can be read. Check what is written into it."},
		{"prefix_missing", "The prefix before the digest is missing. Write it before the digest, without a space."},
		{"prefix_wrong", "The prefix before the digest is another one. Write the expected one."},
		{"prefix_unexpected", "There is a prefix before the digest. Send the digest alone."},
		{"encoding_hex", "The digest is written in hexadecimal. Write its bytes in base64."},
		{"encoding_base64", "The digest is written in base64. Write its bytes in hexadecimal."},
		{"encoding_base64url", "The digest is written in base64url, with - and _. Write it in the expected encoding."},
		{"encoding_base64_of_hex", "The hexadecimal text of the digest was encoded in base64 again. Encode its bytes once."},
		{"encoding_unpadded", "The base64 text has no = at its end, which some receivers refuse. Send it with padding."},
		{"hex_upper_case", "The digest is in upper-case hexadecimal, and receivers that compare text refuse it. Write it in lower case."},
		{"id_missing", "The header with the message id is missing. Send it; it is part of what is signed."},
		{"timestamp_missing", "The timestamp is missing. Send the one that was signed."},
		{"timestamp_malformed", "The timestamp is no number. Send and sign Unix time in whole seconds."},
		{"timestamp_unit", "The timestamp is not in seconds. Send and sign Unix time in whole seconds."},
		{"clock_behind", "The signed time lies too far in the past. Sign each attempt anew, and set the sender's clock."},
		{"clock_ahead", "The signed time lies too far in the future. Set the sender's clock."},
	}
}

func sharedAdvice() [][2]string {
	return [][2]string{
		{"secret_in_clear", "The header holds the secret itself. Send a signature made with it, and replace the secret."},
		{"secret_missing", "There is no secret where it is expected. Send it there."},
		{"secret_repeated", "The secret is there more than once, and receivers differ in which they take. Send it once."},
		{"secret_malformed", "The place of the secret cannot be read unambiguously. Percent-encode the query, and do not fold the header."},
		{"secret_in_other_place", "The secret stands in another place. Send it where it is expected."},
		{"secret_escaped", "The secret was percent-encoded a wrong number of times. Encode it once in a query, and not at all in a header."},
		{"secret_encoded", "The secret was encoded in base64. Send it as it stands."},
		{"secret_scheme_word", "A scheme word stands before the secret. Send the secret alone in this place."},
	}
}
