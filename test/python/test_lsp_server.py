"""bcr-lsp-server knows the dialect: it finds a fault in bcr IR and explains an op."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

SERVER = Path(__file__).parents[2] / "build" / "bin" / "bcr-lsp-server"

TEXT = """func.func @f(%x: tensor<4x64xf32>, %w: tensor<32x65xf32>, %o: tensor<4x32xf32>) {
  %y = bcr.matmul ins(%x : tensor<4x64xf32>) weights(%w : tensor<32x65xf32>)
                  outs(%o : tensor<4x32xf32>) -> tensor<4x32xf32>
  return
}
"""


def message(**content) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **content}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def test_diagnostics_and_hover():
    uri = "file:///test.mlir"
    document = {"uri": uri, "languageId": "mlir", "version": 1, "text": TEXT}
    position = {"line": 1, "character": 9}
    requests = [
        message(id=0, method="initialize", params={"capabilities": {}, "processId": None}),
        message(method="initialized", params={}),
        message(method="textDocument/didOpen", params={"textDocument": document}),
        message(
            id=1,
            method="textDocument/hover",
            params={"textDocument": {"uri": uri}, "position": position},
        ),
        message(id=2, method="shutdown"),
        message(method="exit"),
    ]
    done = subprocess.run(
        [SERVER], input=b"".join(requests), capture_output=True, timeout=60, check=True
    )
    output = done.stdout.decode()
    assert "BCR-13: the weights have 65 columns, the input has 64 features" in output
    assert "bcr.matmul" in output
