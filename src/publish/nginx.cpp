#include "publish/nginx.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "publish/javascript.hpp"

namespace pinnace::publish {
namespace {

constexpr std::string_view kAbout =
    R"(# nginx as the MX, with the pins of its keys inside TLS; pinnace_pins.js goes beside this file. Needs the
# modules stream and js (Debian: libnginx-mod-stream, libnginx-mod-stream-js), and loads them: leave these
# lines out where modules-enabled does. This is a whole nginx.conf; where there is one, `stream` goes beside
# its `http`. Mail is taken inside TLS only. nginx's mail proxy will not do: it says in clear what it says
# inside TLS.
load_module modules/ngx_stream_module.so;
load_module modules/ngx_stream_js_module.so;
events {
}
stream {
  js_import pins from pinnace_pins.js;
  ssl_protocols TLSv1.2 TLSv1.3;
)";

constexpr std::string_view kScriptAbout =
    R"(// The SMTP that nginx must know to show pins inside TLS and nowhere else. To be made anew when a key
// changes: before the new one is used.
)";

constexpr std::string_view kScript =
    R"js(const longest = 65536  // octets that wait for the end of a line or of a reply

// Before TLS: the way into it and nothing else (RFC 3207 4).
function starttls(s) {
  let begun = false
  let secure = false
  let text = ''
  s.on('upload', (data, flags) => {
    if (!begun) {
      // The PROXY header for the server behind, before the client has said anything.
      begun = true
      s.send(data, flags)
      s.sendDownstream(`220 ${hostname} ESMTP\r\n`)
      return
    }
    if (secure || flags.last) {
      s.send(secure ? data : '', flags)
      return
    }
    text += data
    while (text.includes('\n')) {
      const end = text.indexOf('\n')
      const line = text.slice(0, end).trim().toUpperCase()
      text = text.slice(end + 1)
      if (line === 'STARTTLS') {
        // What stands behind it in clear must not become part of the session (RFC 3207 4.2).
        if (text !== '') {
          s.deny()
          return
        }
        secure = true
        s.sendDownstream('220 2.0.0 Ready to start TLS\r\n')
        return
      }
      s.sendDownstream(plain(line))
    }
    if (text.length > longest) s.deny()
  })
}

function plain(line) {
  if (line.startsWith('EHLO ')) return `250-${hostname}\r\n250 STARTTLS\r\n`
  if (line.startsWith('HELO ')) return `250 ${hostname}\r\n`
  if (line === 'NOOP' || line === 'RSET') return '250 2.0.0 Ok\r\n'
  if (line === 'QUIT') return '221 2.0.0 Bye\r\n'
  return '530 5.7.0 Must issue a STARTTLS command first\r\n'
}

// Behind STARTTLS: the client has had its greeting.
function inside(s) {
  show(s, false)
}

// TLS from the first octet.
function implicit(s) {
  show(s, true)
}

// The reply to the client's first command, if that is EHLO, with the pins. All else passes.
function show(s, greets) {
  let first = ''
  let greeted = false
  let shown = false
  let text = ''
  s.on('upload', (data, flags) => {
    const start = data.slice(0, 6).toString().toUpperCase()
    // nginx's own, in front of what the client says.
    const header = first === '' && start === 'PROXY '
    if (!header && first.length < 5) first += start
    s.send(data, flags)
  })
  s.on('download', (data, flags) => {
    if (shown || flags.last) {
      s.send(shown ? data : text + data, flags)
      return
    }
    text += data
    for (;;) {
      const reply = /^(\d{3}-.*\n)*\d{3}( .*)?\r?\n/.exec(text)
      if (!reply) break
      text = text.slice(reply[0].length)
      if (!greeted) {
        greeted = true
        if (greets) s.send(reply[0], flags)
        continue
      }
      shown = true
      const ehlo = first.startsWith('EHLO') && reply[0].startsWith('250')
      s.send((ehlo ? amended(reply[0]) : reply[0]) + text, flags)
      return
    }
    if (text.length > longest) s.deny()
  })
}

// What would let a client speak for others, or begin TLS again, is not for him.
function amended(reply) {
  const offers = reply.trim().split('\n').map((line) => line.slice(4).trim())
  const kept = offers.slice(1).filter((offer) => !/^(STARTTLS|XCLIENT|XFORWARD|PKP|STSEC)\b/i.test(offer))
  const all = [hostname].concat(kept, lines)
  return all.map((offer, i) => `250${i + 1 < all.length ? '-' : ' '}${offer}\r\n`).join('')
}

export default { starttls, inside, implicit }
)js";

// Quotes and backslashes stand behind a backslash.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// A `$` would begin a variable.
bool is_plain(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f || c == '$'; });
}

std::string server_block(const NginxServer& s, std::string_view listen, std::string_view filter) {
  std::string out = fmt::format("  server {{\n    {}\n    js_filter pins.{};\n", listen, filter);
  for (const auto& [certificate, key] : s.certificates) {
    out += fmt::format("    ssl_certificate {};\n    ssl_certificate_key {};\n", quoted(certificate),
                       quoted(key));
  }
  out += fmt::format("    proxy_pass {};\n", s.backend);
  if (s.proxy_protocol) out += "    proxy_protocol on;  # its version 1\n";
  return out + "  }\n";
}

}  // namespace

base::Result<NginxFiles> nginx_files(const NginxServer& server) {
  std::vector<std::string> texts = {server.backend};
  for (const auto& [certificate, key] : server.certificates) texts.insert(texts.end(), {certificate, key});
  for (const std::string& text : texts) {
    if (!is_plain(text))
      return base::fail("publish.nginx", "'$' or a control character stands in a path that nginx is to read");
  }
  NginxFiles out;
  out.configuration = kAbout;
  if (!server.listen.empty()) {
    out.configuration += "  server {\n";
    for (const std::string& endpoint : server.listen)
      out.configuration += fmt::format("    listen {};\n", endpoint);
    // The header tells the server behind who the client is, and lets the script greet him.
    out.configuration +=
        "    js_filter pins.starttls;\n    proxy_pass 127.0.0.1:8025;\n    proxy_protocol on;\n  }\n";
    out.configuration += server_block(
        server, "listen 127.0.0.1:8025 ssl proxy_protocol;\n    set_real_ip_from 127.0.0.1;", "inside");
  }
  for (const std::string& endpoint : server.listen_tls)
    out.configuration += server_block(server, fmt::format("listen {} ssl;", endpoint), "implicit");
  out.configuration += "}\n";
  out.script = fmt::format("{}const hostname = {}\n", kScriptAbout, js_string(server.hostname));
  out.script += js_list("lines", server.ehlo_lines) + std::string(kScript);
  return out;
}

}  // namespace pinnace::publish
