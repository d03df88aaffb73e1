# Varnish in front of the platform's media: it keeps what everybody may see for as long as the platform says, and forgets it by surrogate key when the
# platform tells it to. It needs vmod_xkey (Debian: varnish-modules).
#
# The platform: media.cache_purge_url=http://<token>@<this host>:<port>/ with the token below. What reaches this port may come from everywhere but for
# PURGE, which needs the token: replace it, and let only the platform's nodes reach the port that purges where you can.
vcl 4.1;

import xkey;

backend platform {
    .host = "127.0.0.1";
    .port = "8000";
    .connect_timeout = 3s;
    .first_byte_timeout = 35s;
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (req.http.Authorization != "Bearer replace-this-token") {
            return (synth(403, "Forbidden"));
        }
        if (!req.http.Surrogate-Key) {
            return (synth(400, "Say what to forget in Surrogate-Key"));
        }
        # Removed, not only aged: what is private now is not to be served while it is fetched anew.
        set req.http.X-Purged = xkey.purge(req.http.Surrogate-Key);
        return (synth(200, "Purged"));
    }
    # Bytes of public files are the same for everybody; signed addresses, and everything else, are the platform's to answer each time.
    if (req.url !~ "^/api/media/media/[^/?]+/[^/?]+$" || (req.method != "GET" && req.method != "HEAD")) {
        return (pass);
    }
    unset req.http.Cookie;
    unset req.http.Authorization;
    return (hash);
}

sub vcl_backend_response {
    # Only what the platform gives a key to can be forgotten by it, so nothing else is kept.
    if (beresp.http.Surrogate-Key && beresp.status == 200) {
        set beresp.http.xkey = beresp.http.Surrogate-Key;
    } else {
        set beresp.uncacheable = true;
        set beresp.ttl = 0s;
        return (deliver);
    }
    # Stale answers are not served while, or because, the platform is asked again.
    set beresp.grace = 0s;
    set beresp.keep = 0s;
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache = "hit";
    } else {
        set resp.http.X-Cache = "miss";
    }
    unset resp.http.xkey;
    unset resp.http.Surrogate-Key;
}

sub vcl_synth {
    if (req.method == "PURGE") {
        set resp.http.X-Purged = req.http.X-Purged;
        set resp.body = "";
        return (deliver);
    }
}
