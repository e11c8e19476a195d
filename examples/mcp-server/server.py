"""A server of MCP whose calls can be read afterwards, whatever becomes of it.

    python server.py                  speaks MCP over standard input, as hosts start it

Each call of a tool is one record: who called, with what, how long it took, how it ended. What a tool says meanwhile has
the same correlation id.
"""

from mcp.server.mcpserver import MCPServer

from logpith_emit import configure, get_logger, logged_tool
from logpith_emit.handlers import intercept

server = MCPServer("billing")
log = get_logger("billing")
left = {"CA16": 10}


@server.tool()
@logged_tool
async def charge(call_id: str, credits: int, card_token: str) -> int:
    """Charges a call and says how many credits are left."""
    log.info("charging", call_id=call_id)
    if credits > left[call_id]:
        raise ValueError(f"{call_id} has {left[call_id]} credits left")
    left[call_id] -= credits
    return left[call_id]


if __name__ == "__main__":
    configure(service="billing", console=False)
    intercept()
    server.run()
