"""A Hugging Face Hub on 127.0.0.1, as much of it as the client asks for when a model is committed and fetched."""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """Repositories in memory: (name, revision) -> files, and every path that was asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.trees, self.branches, self.private, self.asked, self.sizes = {}, {}, {}, [], {}

    def commit(self, repository, files):
        """Add files to what `main` has."""
        tree = {**self.trees.get((repository, self.branches.get(repository)), {}), **files}
        commit = hashlib.sha1(repr(sorted(tree.items())).encode()).hexdigest()
        self.trees[repository, commit] = tree
        self.branches[repository] = commit
        return commit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, value):
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def do_GET(self):
        self.server.asked.append(self.path)
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        repository, revision, file = match.groups() if match else ("", "", "")
        if repository not in self.server.branches:
            return self.answer(404, X_Error_Code="RepoNotFound")
        commit = self.server.branches[repository] if revision == "main" else revision
        if (repository, commit) not in self.server.trees:
            return self.answer(404, X_Error_Code="RevisionNotFound")
        if file not in self.server.trees[repository, commit]:
            return self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        data = self.server.trees[repository, commit][file]
        told = {"X_Linked_Size": self.server.sizes[file]} if file in self.server.sizes else {}
        return self.answer(200, data, ETag=f'"{hashlib.sha1(data).hexdigest()}"', X_Repo_Commit=commit, **told)

    do_HEAD = do_GET

    def do_POST(self):
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            self.server.private[asked["name"]] = asked.get("private") is True or asked.get("visibility") == "private"
            return self.json({"url": f"{self.server.url}/someone/{asked['name']}"})
        if self.path == "/api/validate-yaml":
            return self.json({"errors": [], "warnings": []})
        repository, what = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(\w+)/main", self.path.split("?")[0]).groups()
        if what == "preupload":
            files = json.loads(body)["files"]
            return self.json(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        lines = [json.loads(line) for line in body.splitlines()]
        files = {line["value"]["path"]: line["value"]["content"] for line in lines if line["key"] == "file"}
        commit = self.server.commit(repository, {path: base64.b64decode(content) for path, content in files.items()})
        return self.json(
            {"commitUrl": f"{self.server.url}/{repository}/commit/{commit}", "commitOid": commit, "success": True}
        )


@contextmanager
def hub_running():
    """A server in a thread of its own."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
