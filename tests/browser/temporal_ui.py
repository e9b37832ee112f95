"""Temporal's own pages, as somebody uses them who has nothing of Longtake.

await send_signal(browser, "http://127.0.0.1:8233", "job-1", "approve", '"publish"')
"""

from __future__ import annotations

from playwright.async_api import Browser

from tests.patience import WAIT_S


async def send_signal(
    browser: Browser, ui: str, workflow_id: str, name: str, data: str = ""
) -> str:
    """Choose a signal by its name, and write its input (JSON) where it has one.

    Returns what the page says of the signal beside its name. On a page of its own: one that stays
    open keeps its connections for news, and after some signals has none left for the next.
    """
    page = await browser.new_page()
    page.set_default_timeout(WAIT_S * 1000)
    await page.goto(f"{ui}/namespaces/default/workflows/{workflow_id}")
    await page.get_by_role("button", name="More Actions").click()
    await page.get_by_role("menuitem", name="Send a Signal").click()
    asked = page.get_by_role("dialog")
    await asked.locator("div:has(> label[for=signal-select]) > button").click()
    option = page.get_by_role("option").filter(has_text=name).first
    told = await option.inner_text()
    await option.click()
    if data:
        await asked.locator(".cm-content").click()
        await page.keyboard.type(data)
    await asked.get_by_role("button", name="Submit").click()
    await page.get_by_text("Workflow signaled").first.wait_for()
    await page.close()
    return told.partition("\n")[2].strip()
