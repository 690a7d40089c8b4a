// A module of its own: what these senders need is nothing that hookrange needs.
module github.com/hookrange/hookrange/scripts/senders/go

go 1.26

require github.com/hashicorp/go-retryablehttp v0.7.8

require github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
