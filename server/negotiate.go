package server

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Media types of answers; see GraphQL over HTTP, and for the stream the protocol "GraphQL over Server-Sent Events".
const (
	jsonType     = "application/json"
	responseType = "application/graphql-response+json"
	streamType   = "text/event-stream"
)

// acceptance is how much a caller wants each type of answer, from 0 for not at all to 1, and whether it takes an answer compressed.
type acceptance struct {
	json, response, stream float64
	gzip                   bool
}

// gzipAccepted reads the Accept-Encoding header (RFC 9110, 12.5.3): gzip has to be named, or everything accepted by an asterisk.
func gzipAccepted(h http.Header) bool {
	accepted := false
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		_, q, _ := strings.Cut(strings.ReplaceAll(weight, " ", ""), "=")
		n, err := strconv.ParseFloat(q, 64)
		wanted := weight == "" || err == nil && n > 0
		switch coding {
		case "gzip":
			return wanted
		case "*":
			accepted = wanted
		}
	}
	return accepted
}

// accepts reads the Accept header, all lines of it (RFC 9110, 12.5.1). Without one, application/json is wanted.
func accepts(h http.Header) acceptance {
	ranges := rangesOf(strings.Join(h.Values("Accept"), ","))
	if len(ranges) == 0 {
		return acceptance{json: 1, gzip: gzipAccepted(h)}
	}
	return acceptance{quality(ranges, jsonType), quality(ranges, responseType), quality(ranges, streamType), gzipAccepted(h)}
}

// media chooses the type of an answer that is one piece; empty when none is accepted. A caller who accepts anything gets
// application/json: the newer type is for those who name it.
func (a acceptance) media() string {
	switch {
	case a.response > 0 && a.response >= a.json:
		return responseType
	case a.json > 0:
		return jsonType
	}
	return ""
}

// streams reports whether an answer goes as a stream: what is no subscription only for callers who want that more, since some
// clients name it in every request.
func (a acceptance) streams() bool { return a.stream > max(a.json, a.response) }

type mediaRange struct {
	media string
	q     float64
}

// quality gives the weight of a media type: that of the range that names it most exactly. Ranges with wildcards do not mean
// the newer type, and not the stream.
func quality(ranges []mediaRange, media string) float64 {
	kind, _, _ := strings.Cut(media, "/")
	best, exact := 0.0, 0
	for _, r := range ranges {
		rank := 0
		switch {
		case r.media == media:
			rank = 3
		case media != jsonType:
		case r.media == kind+"/*":
			rank = 2
		case r.media == "*/*":
			rank = 1
		}
		if rank > exact || rank == exact && rank > 0 && r.q > best {
			best, exact = r.q, rank
		}
	}
	return best
}

// rangesOf gives the ranges of an Accept header. Those that are malformed, or want another charset than UTF-8, are none.
func rangesOf(header string) []mediaRange {
	var ranges []mediaRange
	for part := range strings.SplitSeq(header, ",") { // no parameter of ours has a comma in quotes
		media, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, there := parameters["q"]; there {
			if q, err = strconv.ParseFloat(text, 64); err != nil || q < 0 || q > 1 {
				continue
			}
		}
		if charset, there := parameters["charset"]; there && !strings.EqualFold(charset, "utf-8") {
			q = 0
		}
		ranges = append(ranges, mediaRange{media, q})
	}
	return ranges
}
